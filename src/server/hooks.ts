// What a server does once, and not once in each worker: functions of the module that the setting `hooks` names. Each call runs in a process
// of its own, so that no user code runs in the one that supervises.
import { askChild } from './ask-child.ts'
import { forkHooksChild } from './child-processes.ts'
import type { Environment } from './environment.ts'
import { errorOf, StartError } from './errors.ts'
import { EXIT } from './exit-codes.ts'
import type { FromHooksChild, StartedService, ToHooksChild } from './messages.ts'
import { endedHow } from './worker-exit.ts'

/**
 * The functions that a hooks module may export:
 *
 * - `onStart` before the first worker, with services such as an embedded database running; one that throws stops the start
 * - `onReady` when the workers are ready; one that throws stops the start
 * - `onReload` before the workers are replaced, from the new code; one that throws leaves the old ones serving
 * - `onStop` after the last worker of a server that was asked to stop, and not to stop at once; not after an upgrade, because the server goes on
 */
export interface Hooks {
  readonly onStart?: () => void | Promise<void>
  readonly onReady?: () => void | Promise<void>
  readonly onReload?: () => void | Promise<void>
  readonly onStop?: () => void | Promise<void>
}

export type HookName = keyof Hooks

export const HOOK_NAMES = ['onStart', 'onReady', 'onReload', 'onStop'] as const satisfies readonly HookName[]

export interface HookCall {
  readonly name: HookName
  /** Path of the module, from the working directory. */
  readonly file: string
  readonly environment: Environment
  readonly services: readonly StartedService[]
  readonly timeoutMs: number
  /** Ends the process; the promise rejects. One that is aborted already starts none. */
  readonly signal?: AbortSignal
}

/**
 * Resolves when the function has settled and what it registered with the host (pools) is closed; at once where the module has none of the name.
 *
 * @throws StartError `LOAD_*` for the module, `HOOK_FAILED`
 */
export async function runHook({ name, file, environment, services, timeoutMs, signal }: HookCall): Promise<void> {
  if (file === '') return
  if (signal?.aborted)
    throw new StartError('HOOK_FAILED', EXIT.app, `${name} of ${file} was not called: the server ends at once`)
  const question: ToHooksChild = { name, file, services }
  const { answer, exit, isLate } = await askChild<FromHooksChild>(forkHooksChild(environment), question, {
    timeoutMs,
    signal,
  })
  if (answer?.type === 'done') return
  if (answer) throw errorOf(answer.failure)
  const how = isLate ? `has not ended within ${timeoutMs / 1000} s` : endedHow(exit)
  throw new StartError('HOOK_FAILED', EXIT.app, `${name} of ${file} ${how}`)
}
