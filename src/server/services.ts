// Services that the app needs once (an embedded database): started by the supervisor before the first worker, stopped after the last.
import type { RunningService, ServiceSpec } from '../core/host.ts'
import { StartError } from './errors.ts'
import { EXIT } from './exit-codes.ts'
import type { StartedService } from './messages.ts'
import { serviceId } from './worker-host.ts'

interface Entry {
  readonly spec: ServiceSpec
  readonly running: Promise<RunningService>
}

export class Services {
  readonly #entries = new Map<string, Entry>()

  /**
   * Starts each that does not run yet, all at once, and waits for them. The modules are Millrace's own.
   *
   * @throws StartError `SERVICE_FAILED`, exit code 5
   */
  async start(specs: readonly ServiceSpec[]): Promise<void> {
    await Promise.all(specs.map(spec => this.address(spec)))
  }

  async address(spec: ServiceSpec): Promise<StartedService['address']> {
    const id = serviceId(spec)
    let entry = this.#entries.get(id)
    if (!entry) {
      entry = { spec, running: launch(spec) }
      entry.running.catch(() => this.#entries.delete(id))
      this.#entries.set(id, entry)
    }
    return (await entry.running).address
  }

  async started(): Promise<readonly StartedService[]> {
    return Promise.all(
      [...this.#entries.values()].map(async ({ spec, running }) => ({
        name: spec.name,
        key: spec.key,
        address: (await running).address,
      })),
    )
  }

  /** @returns what went wrong; the others were stopped all the same */
  async stop(): Promise<readonly unknown[]> {
    const entries = [...this.#entries.values()]
    this.#entries.clear()
    const results = await Promise.allSettled(entries.map(async ({ running }) => (await running).stop()))
    return results.filter(result => result.status === 'rejected').map(result => result.reason as unknown)
  }
}

async function launch(spec: ServiceSpec): Promise<RunningService> {
  try {
    const module = (await import(spec.module)) as { start(options: unknown): Promise<RunningService> }
    return await module.start(spec.options)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new StartError('SERVICE_FAILED', EXIT.service, `${spec.name} could not be started: ${message}`, {
      cause: error,
    })
  }
}
