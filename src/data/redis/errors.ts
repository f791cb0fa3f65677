// Every way in which Redis can fail, as types: unavailable, too slow, full, refused, misconfigured.
//
// Messages are for the log and never hold a password or a value. A client only ever sees `detail`, which says nothing about Redis.
import { ErrorReply, MultiErrorReply, ReconnectStrategyError, WatchError } from '@redis/client'
import { MillraceError, OverloadError, UsageError, type ErrorFacts } from '../../core/error.ts'

/** The operator's turn: an address, a user or a password is wrong. Trying again will not help. */
export class RedisSettingsError extends MillraceError {}

/** Redis does not answer, has just ended our connection, or is loading. Status 503 with Retry-After. */
export class RedisUnavailableError extends MillraceError {
  constructor(message: string, facts: ErrorFacts = {}, code = 'REDIS_UNAVAILABLE') {
    super(code, message, {
      status: 503,
      detail: 'A store is not available at the moment.',
      retryAfterMs: 1000,
      ...facts,
    })
  }
}

/** No answer within the command's time-out. The command may have been run. Status 503 with Retry-After. */
export class RedisTimeoutError extends RedisUnavailableError {
  constructor(command: string, timeoutMs: number) {
    super(`Redis did not answer ${command} within ${timeoutMs} ms`, {}, 'REDIS_TIMEOUT')
  }
}

/** Redis is at `maxmemory` and may not forget anything (`noeviction`). Status 503 with Retry-After. */
export class RedisFullError extends OverloadError {
  constructor(message: string, facts: ErrorFacts = {}) {
    super('REDIS_FULL', message, { detail: 'A store is full at the moment.', ...facts })
  }
}

/** Redis refused a command: wrong arguments, another type under the key, an error in a script. */
export class RedisReplyError extends MillraceError {
  /** The first word of what Redis said, e.g. `WRONGTYPE`. */
  readonly reply: string

  constructor(command: string, reply: string, facts: ErrorFacts = {}) {
    super('REDIS_REPLY', `Redis refused ${command}: ${reply}`, facts)
    this.reply = reply.split(' ', 1)[0]!
  }
}

/** A script was made or called wrongly. */
export function badScript(message: string): UsageError {
  return new UsageError('REDIS_SCRIPT', message)
}

/** The server is there, and will be able to answer again: it loads its data, has lost its primary, runs a script, is a replica. */
const PASSING = /^(?:LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|READONLY|NOREPLICAS|MISCONF|BUSY|UNKILLABLE|FAILOVER)\b/
const REFUSED = /^(?:WRONGPASS|NOAUTH|NOPERM|DENIED)\b|invalid (?:username-)?password|without any password/i

/** @param command  its name, for the message: arguments may be secrets */
export function mapError(error: unknown, command: string): unknown {
  if (error instanceof MillraceError) return error
  if (error instanceof ReconnectStrategyError) return mapError(error.originalError, command)
  if (error instanceof ErrorReply) {
    // Of a batch that is only a count.
    const said = error instanceof MultiErrorReply ? firstOf(error).message : error.message
    if (said.startsWith('OOM'))
      return new RedisFullError(`Redis is full and refused ${command}: ${said}`, { cause: error })
    if (PASSING.test(said))
      return new RedisUnavailableError(`Redis cannot run ${command} now: ${said}`, { cause: error })
    if (REFUSED.test(said))
      return new RedisSettingsError('REDIS_REFUSED', `Redis refuses us ${command}: ${said}`, { cause: error })
    return new RedisReplyError(command, said, { cause: error })
  }
  // Wrong types of arguments are found by the driver before anything is sent; a key that was watched is an answer too.
  if (error instanceof TypeError || error instanceof WatchError || !(error instanceof Error)) return error
  return new RedisUnavailableError(
    `Redis is away (${error.message || (error as { code?: string }).code || error.name})`,
    {
      cause: error,
    },
  )
}

function firstOf(error: MultiErrorReply): Error {
  const [first] = error.errors()
  return first instanceof Error ? first : error
}
