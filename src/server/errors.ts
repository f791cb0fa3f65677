// Why a server did not start: each error knows the exit code it ends the command with, and survives the way over IPC.
import { MillraceError, type ErrorFacts } from '../core/error.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'

/** The operator misconfigured: a flag, a variable or a file holds something that cannot be used. */
export class SettingsError extends MillraceError {
  readonly exitCode: ExitCode = EXIT.usage
}

/** The app, the address or a service did not come up. The message is complete: it is printed without a stack. */
export class StartError extends MillraceError {
  readonly exitCode: ExitCode

  constructor(code: string, exitCode: ExitCode, message: string, facts: ErrorFacts = {}) {
    super(code, message, facts)
    this.exitCode = exitCode
  }
}

/** An error as plain data, for the way from a child to its supervisor. */
export interface Failure {
  readonly code: string
  readonly message: string
  readonly exitCode: ExitCode
}

export function failureOf(error: unknown): Failure {
  if (error instanceof StartError || error instanceof SettingsError)
    return { code: error.code, message: error.message, exitCode: error.exitCode }
  if (error instanceof MillraceError) return { code: error.code, message: error.message, exitCode: EXIT.app }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { code: 'SERVER_FAULT', message: text, exitCode: EXIT.fault }
}

export function errorOf(failure: Failure): StartError {
  return new StartError(failure.code, failure.exitCode, failure.message)
}
