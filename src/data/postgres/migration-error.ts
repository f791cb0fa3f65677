// What can be wrong with migrations: a folder that cannot be read as one, a history that was rewritten, SQL that PostgreSQL refuses.
import { MillraceError, type ErrorFacts } from '../../core/error.ts'

/** The message names the file, and the way out. */
export class MigrationError extends MillraceError {
  /** The file that is to blame, where one is. */
  readonly file: string | undefined
  /** Where in it, from 1. */
  readonly line: number | undefined

  constructor(code: string, message: string, place: { file?: string; line?: number } = {}, facts: ErrorFacts = {}) {
    super(code, message, facts)
    this.file = place.file
    this.line = place.line
  }
}
