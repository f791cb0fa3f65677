// The short-lived child of the supervisor that calls one function of the hooks module. Run by hooks.ts only.
import { once } from 'node:events'
import { access } from 'node:fs/promises'
import { resolve } from 'node:path'
import { LocalHost, provideHost, type ServiceSpec } from '../core/host.ts'
import { didYouMean } from '../core/nearest-name.ts'
import { failureOf, StartError } from './errors.ts'
import { EXIT } from './exit-codes.ts'
import { HOOK_NAMES } from './hooks.ts'
import { explainHookError } from './import-errors.ts'
import { importUserModule } from './load-app.ts'
import type { FromHooksChild, StartedService, ToHooksChild } from './messages.ts'
import { serviceId } from './worker-host.ts'

/** What a pool gets to close its connections. */
const DRAIN_MS = 5_000

/** Alone, but for the services that the supervisor has started. */
class HookHost extends LocalHost {
  readonly #started: ReadonlyMap<string, StartedService['address']>

  constructor(services: readonly StartedService[]) {
    super()
    this.#started = new Map(services.map(service => [serviceId(service), service.address]))
  }

  override async service(spec: ServiceSpec): Promise<StartedService['address']> {
    return this.#started.get(serviceId(spec)) ?? super.service(spec)
  }
}

async function call({ name, file, services }: ToHooksChild): Promise<FromHooksChild> {
  const host = new HookHost(services)
  provideHost(host)
  try {
    await access(file).catch(() => {
      throw new StartError('HOOK_FAILED', EXIT.usage, `the hooks module ${file} is not there`)
    })
    const module = await importUserModule(resolve(file), process.cwd())
    refuseStrange(module, file)
    const hook = module[name]
    if (hook !== undefined) await run(hook as () => unknown, name)
    const [failed] = await host.drain(DRAIN_MS)
    if (failed) throw explainHookError(failed.error, failed.name, process.cwd())
    return { type: 'done' }
  } catch (error) {
    return { type: 'failed', failure: failureOf(error) }
  }
}

async function run(hook: () => unknown, name: string): Promise<void> {
  try {
    await hook()
  } catch (error) {
    throw explainHookError(error, name, process.cwd())
  }
}

/** A hook that is misspelt would never run, and nobody would know. */
function refuseStrange(module: Readonly<Record<string, unknown>>, file: string): void {
  for (const [name, value] of Object.entries(module)) {
    const isKnown = (HOOK_NAMES as readonly string[]).includes(name)
    if (isKnown ? typeof value === 'function' : !/^on[A-Z]/.test(name)) continue
    throw new StartError(
      'HOOK_FAILED',
      EXIT.usage,
      isKnown
        ? `${file} exports ${name}, which is not a function`
        : `${file} exports ${name}, which is no hook${didYouMean(name, HOOK_NAMES) || `; there are ${HOOK_NAMES.join(', ')}`}`,
    )
  }
}

// The supervisor is gone: nobody listens.
process.on('disconnect', () => process.exit())
// Ctrl-C reaches every process of the terminal's group; when to stop is for the supervisor to say.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) process.on(signal, () => {})
const [request] = (await once(process, 'message')) as [ToHooksChild]
process.send!(await call(request), () => process.exit())
