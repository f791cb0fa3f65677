// The end of a request: the one place where an answer is logged, sent, and followed by what was deferred.
import { MillraceError } from '../core/error.ts'
import type { Exchange } from '../http/exchange.ts'
import type { AfterResponse } from '../tasks/after-response.ts'
import { type Answer, discard, LateAnswer, send } from './answer.ts'
import type { Log } from './context.ts'
import { type ErrorFormat, problemAnswer } from './problem.ts'
import { RequestState } from './request-state.ts'

/** What ends a request whichever way it ran. */
export interface Ending {
  readonly format: ErrorFormat
  readonly log: Log
  readonly afterResponse: AfterResponse
}

/** The one way out: log what was ours to prevent, send, then run what was deferred. */
export function conclude(of: Ending, state: RequestState, answer: Answer): void | Promise<void> {
  const { exchange } = state
  if (answer instanceof LateAnswer) return concludeLater(of, state, answer.complete(exchange))
  if (answer.error !== undefined) {
    const facts = { err: answer.error, method: exchange.method, route: exchange.record.route }
    // The client has left, or has its 503 or 504 already: what the handler makes of that is no failure of ours.
    if (exchange.answered || exchange.signal.aborted) state.log.debug(facts, 'request ended after its answer')
    else if (answer.status === 500) state.log.error(facts, 'request failed')
    else if (answer.error instanceof MillraceError && answer.error.code === 'APP_FILE_DENIED')
      state.log.warn(facts, 'a file may not be read')
  }
  let sent: void | Promise<void>
  try {
    sent = send(exchange, answer, of.log)
  } catch (error) {
    // A field or status that no response may carry: nothing has been written yet.
    discard(answer)
    state.log.error({ err: error, method: exchange.method, route: exchange.record.route }, 'response refused')
    sent = send(exchange, problemAnswer(error, of.format))
  }
  if (state.isOverdue || answer.error !== undefined) return sent
  if (!(sent instanceof Promise)) return state.runDeferred(of.afterResponse)
  return sent.then(() => {
    // Of what goes on behind its head, only the end tells how it went.
    if (answer.error === undefined) state.runDeferred(of.afterResponse)
  })
}

/** The end of what was overdue: a 504 went out in its place, and what it deferred has waited for it. */
export function concludeOverdue(of: Ending, state: RequestState, answer: Answer): void {
  discard(answer)
  const { exchange } = state
  if (answer.error === undefined) state.runDeferred(of.afterResponse)
  else {
    const facts = { err: answer.error, method: exchange.method, route: exchange.record.route }
    state.log.debug(facts, 'request ended after its answer')
  }
}

export async function concludeLater(of: Ending, state: RequestState, pending: Promise<Answer>): Promise<void> {
  let answer: Answer
  try {
    answer = await pending
  } catch (error) {
    answer = problemAnswer(error, of.format)
  }
  return conclude(of, state, answer)
}

export function concludeError(of: Ending, exchange: Exchange, error: unknown): void | Promise<void> {
  return conclude(of, new RequestState(exchange, of.log), problemAnswer(error, of.format))
}
