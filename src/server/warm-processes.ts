// For development: the next worker and the next reader of the app are started before they are needed, so that a saved file waits for its own
// code alone. (bench `dev`)
import type { ChildProcess } from 'node:child_process'
import { forkManifestChild, forkWorker } from './child-processes.ts'
import type { Environment } from './environment.ts'

export type WarmKind = 'worker' | 'manifest'

interface Kept {
  readonly child: ChildProcess
  readonly environment: string
}

export class WarmProcesses {
  readonly #kept = new Map<WarmKind, Kept>()

  /** Starts those that are missing; those there for another environment are ended. */
  prepare(environment: Environment, socketFd: number): void {
    this.#keep('worker', environment, () => forkWorker(environment, socketFd, 'warm'))
    this.#keep('manifest', environment, () => forkManifestChild(environment, 'warm'))
  }

  /** @returns undefined when there is none for this environment; whoever takes one ends it */
  take(kind: WarmKind, environment: Environment): ChildProcess | undefined {
    const kept = this.#kept.get(kind)
    this.#kept.delete(kind)
    if (kept === undefined) return undefined
    if (kept.environment === JSON.stringify(environment) && isThere(kept.child)) return kept.child
    kept.child.kill('SIGKILL')
    return undefined
  }

  /** Ends all: packages that they have loaded have changed, or nobody needs them any more. */
  clear(): void {
    for (const { child } of this.#kept.values()) child.kill('SIGKILL')
    this.#kept.clear()
  }

  #keep(kind: WarmKind, environment: Environment, fork: () => ChildProcess): void {
    const key = JSON.stringify(environment)
    const before = this.#kept.get(kind)
    if (before && before.environment === key && isThere(before.child)) return
    before?.child.kill('SIGKILL')
    const child = fork()
    // What cannot be started now is started when it is needed, and then says why not.
    child.on('error', () => {})
    this.#kept.set(kind, { child, environment: key })
  }
}

/** Its channel may be open for a moment after its end. */
function isThere({ connected, exitCode, signalCode }: ChildProcess): boolean {
  return connected && exitCode === null && signalCode === null
}
