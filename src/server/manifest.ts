// Reads an app as data by letting a child load it, so that no user code runs in the process that supervises.
import type { ChildProcess } from 'node:child_process'
import { askChild } from './ask-child.ts'
import { forkManifestChild } from './child-processes.ts'
import type { Environment } from './environment.ts'
import { errorOf, type Failure, StartError } from './errors.ts'
import { EXIT } from './exit-codes.ts'
import type { FromManifestChild, Manifest, ToManifestChild } from './messages.ts'
import type { WorkerExit } from './worker-exit.ts'

export interface ManifestRequest {
  readonly app: string
  readonly environment: Environment
  /** One that waits already, with the same environment. */
  readonly child?: ChildProcess | undefined
  /** Instead of millrace.config.ts; '' for that. */
  readonly configFile?: string
  readonly wantsOpenapi?: boolean
  readonly timeoutMs?: number
  /** Ends the child; the promise rejects. */
  readonly signal?: AbortSignal
}

/**
 * @throws StartError what `loadApp` says in the child, or `LOAD_ENDED` and `LOAD_TIMEOUT` when the child said nothing
 */
export async function readManifest(request: ManifestRequest): Promise<Manifest> {
  const timeoutMs = request.timeoutMs ?? 60_000
  const child = request.child ?? forkManifestChild(request.environment, 'cold')
  const output = collect(child)
  const { app, wantsOpenapi = false, configFile = '', signal } = request
  const question: ToManifestChild = { app, wantsOpenapi, configFile }
  const { answer, exit, isLate } = await askChild<FromManifestChild>(child, question, { timeoutMs, signal })
  if (answer?.type === 'manifest') return answer.manifest
  if (answer) throw withOutput(answer.failure, output.stderr())
  if (signal?.aborted) throw new StartError('LOAD_ENDED', EXIT.app, 'stopped while the app was being loaded')
  if (isLate)
    throw new StartError(
      'LOAD_TIMEOUT',
      EXIT.app,
      `${app} was not loaded within ${timeoutMs / 1000} s; is there an await at its top level that never ends?`,
    )
  throw new StartError('LOAD_ENDED', EXIT.app, endedEarly(app, exit, output.all()))
}

function endedEarly(app: string, { code, signal, error }: WorkerExit, output: string): string {
  if (error) return `the process that loads ${app} could not be started: ${error.message}`
  if (signal) return `loading ${app} was ended by ${signal}${output}`
  // 13: Node's exit code for a top-level await that can never settle.
  if (code === 13) return `${app} awaits something at its top level that never settles`
  return `${app} ended the process with code ${code} while it was being loaded (process.exit?)${output}`
}

function withOutput(failure: Failure, stderr: string): StartError {
  return errorOf({ ...failure, message: `${failure.message}${stderr}` })
}

// Enough for a stack or the table of an environment validator.
const KEPT_BYTES = 8192

function collect(child: ChildProcess): { stderr(): string; all(): string } {
  const kept = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    // For want of descriptors there is no pipe.
    child[name]?.setEncoding('utf8').on('data', (text: string) => (kept[name] = (kept[name] + text).slice(-KEPT_BYTES)))
  const line = (text: string) => (text.trim() === '' ? '' : `\n  it printed: ${text.trim().replaceAll('\n', '\n  ')}`)
  return { stderr: () => line(kept.stderr), all: () => line(kept.stdout) + line(kept.stderr) }
}
