// What the server is told of a request's time, so that it ends by itself what nobody waits for any more, though our cancel be lost.
//
// Only where a transaction begins, because there it costs no round trip: BEGIN and what it sets are one message. A statement on its own is
// ended by our cancel, and behind that by the session's statement_timeout. Why: docs/decisions/0006.
import type { TransactionOptions } from './transaction.ts'

// Our own cancel comes first, with the signal's reason, when nothing is lost on the way.
const GRACE_MS = 250

/** What sessions are held to; 0: nothing. */
export interface SessionLimits {
  readonly statementTimeoutMs: number
  readonly idleInTransactionTimeoutMs: number
  /** They are told in each transaction, because sessions are lent to others. */
  readonly isPooled: boolean
}

/**
 * @param leftMs  until the request is answered; Infinity where nobody knows
 * @returns BEGIN, with the transaction's own time-outs behind it where the session's are not short enough
 */
export function beginText(options: TransactionOptions, leftMs: number, session: SessionLimits): string {
  const isolation = options.isolation ? ` isolation level ${options.isolation}` : ''
  const begin = `begin${isolation}${options.readOnly ? ' read only' : ''}`
  const limitMs = Math.ceil(leftMs) + GRACE_MS
  const { isPooled } = session
  // A lock is waited for by a statement. What idles meanwhile holds its locks in others' way: a worker that hangs, or is cut off.
  const statement = setting('statement_timeout', limitMs, session.statementTimeoutMs, isPooled)
  const idle = setting('idle_in_transaction_session_timeout', limitMs, session.idleInTransactionTimeoutMs, isPooled)
  // A request with more time than a statement has is bounded by that.
  return statement === '' && !isPooled ? begin : `${begin}${statement}${idle}`
}

function setting(name: string, limitMs: number, sessionMs: number, isPooled: boolean): string {
  const ms = Math.min(limitMs, sessionMs || Infinity)
  return ms === Infinity || (ms === sessionMs && !isPooled) ? '' : `; set local ${name} = ${ms}`
}
