// Time that runs out while work is under way.
import { MillraceError, type ErrorFacts } from './error.ts'

/** A request, a wait or a query ran past its time. Status 504: we had accepted the work and did not finish it. */
export class DeadlineError extends MillraceError {
  constructor(message = 'the time for this request is up', facts: ErrorFacts = {}) {
    super('DEADLINE_PASSED', message, { status: 504, detail: 'The server did not finish in time.', ...facts })
  }
}
