// Every way in which MongoDB can fail, as types: unavailable, busy, too slow, a duplicate, a document that does not fit, misconfigured.
//
// Messages are for the log and never hold a password or a value of a document. A client only ever sees `detail`, which says nothing about
// the database.
import { MillraceError, OverloadError, UsageError, type ErrorFacts } from '../../core/error.ts'

/** The operator's turn: an address, a user or a password is wrong. Trying again will not help. */
export class MongoSettingsError extends MillraceError {}

/** The server does not answer, has just ended our connection, or has no primary. Status 503 with Retry-After. */
export class MongoUnavailableError extends MillraceError {
  constructor(message: string, facts: ErrorFacts = {}) {
    super('MONGO_UNAVAILABLE', message, {
      status: 503,
      detail: 'The database is not available at the moment.',
      retryAfterMs: 1000,
      ...facts,
    })
  }
}

/** No connection became free: the line of waiters is full (`MONGO_POOL_FULL`) or the wait too long. Status 503 with Retry-After. */
export class MongoBusyError extends OverloadError {
  constructor(code: 'MONGO_POOL_FULL' | 'MONGO_POOL_WAIT', message: string, cause?: unknown) {
    super(code, message, { detail: 'The database is busy at the moment.', cause })
  }
}

/** The server ended an operation at its time. Status 504. */
export class MongoTimeoutError extends MillraceError {
  constructor(message: string, cause?: unknown) {
    super('MONGO_TIMEOUT', message, { status: 504, detail: 'The database took too long to answer.', cause })
  }
}

/** Two transactions got in each other's way; this one was undone and may be run again. Status 503 with Retry-After. */
export class MongoConflictError extends MillraceError {
  constructor(message: string, cause?: unknown) {
    super('MONGO_CONFLICT', message, { status: 503, retryAfterMs: 1000, cause })
  }
}

/** The server refused a command. Status 500 unless a handler says otherwise. */
export class MongoCommandError extends MillraceError {
  /** MongoDB's number for it: https://www.mongodb.com/docs/manual/reference/error-codes/ */
  readonly serverCode: number | undefined

  constructor(code: string, message: string, serverCode: number | undefined, cause?: unknown) {
    super(code, message, { cause })
    this.serverCode = serverCode
  }
}

/** A unique index has such a document already; `fields` names what it is made of. */
export class DuplicateKeyError extends MongoCommandError {
  /** `['email']`; empty where the server does not say. */
  readonly fields: readonly string[]
  /** Of `insertMany`: which of its documents it is. Those before it are stored, those behind it are not. */
  readonly index: number | undefined

  constructor(message: string, serverCode: number | undefined, fields: readonly string[], index?: number) {
    super('MONGO_DUPLICATE_KEY', message, serverCode)
    this.fields = fields
    this.index = index
  }
}

/** A document does not fit its collection's schema, on its way in or as it was found. A bug, or somebody else's write: 500. */
export class DocumentError extends MillraceError {
  /** Of the change that a watch could not give: `resumeAfter` of the watch that goes on behind it. */
  resumeToken: string | undefined

  constructor(message: string, cause?: unknown) {
    super('MONGO_BAD_DOCUMENT', message, { status: 500, cause })
  }
}

/** A value holds a name that MongoDB would read as an operator or a path, or that is none. Nothing was sent. Status 422. */
export class UnsafeValueError extends MillraceError {
  constructor(message: string) {
    super('MONGO_UNSAFE_VALUE', message, {
      status: 422,
      detail: 'A name in the input begins with $, holds a dot or NUL, or cannot be stored for another reason',
    })
  }
}

// What the driver throws, by name: the driver is an optional peer, and errors of a second copy of it are told as well.
const AWAY = new Set([
  'MongoServerSelectionError',
  'MongoNetworkError',
  'MongoNetworkTimeoutError',
  'MongoPoolClearedError',
  'PoolClearedOnNetworkError',
  'MongoPoolClosedError',
  'MongoNotConnectedError',
  'MongoTopologyClosedError',
  'MongoClientClosedError',
  'MongoServerClosedError',
  'MongoStalePrimaryError',
])

// Servers that shut down, step down or are not (yet) the primary: HostUnreachable, HostNotFound, NetworkTimeout, ShutdownInProgress,
// PrimarySteppedDown, SocketException, NotWritablePrimary, InterruptedAtShutdown, InterruptedDueToReplStateChange,
// NotPrimaryNoSecondaryOk, NotPrimaryOrSecondary. The same that the driver tries again.
const UNAVAILABLE = new Set([6, 7, 89, 91, 189, 9001, 10107, 11600, 11602, 13435, 13436])

// Of the socket, which the driver sometimes hands on as they are.
const GONE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
])

const DUPLICATE = new Set([11000, 11001, 12582])
const WRITE_CONFLICT = 112
const MAX_TIME_EXPIRED = 50
/** Unauthorized, AuthenticationFailed, and Atlas's own. */
const REFUSED = new Set([13, 18, 8000])

interface Raw extends Error {
  readonly code?: unknown
  readonly keyPattern?: unknown
  readonly writeErrors?: unknown
  readonly errorLabelSet?: unknown
  hasErrorLabel?(label: string): boolean
}

/**
 * @param where  hosts and database, for messages
 * @returns the typed error for whatever the driver threw; ours and the signal's reason pass through unchanged
 */
export function mapError(error: unknown, where: string): unknown {
  if (error instanceof MillraceError || !(error instanceof Error)) return error
  const raw = error as Raw
  const code = typeof raw.code === 'number' ? raw.code : undefined
  if (raw.name === 'MongoWaitQueueTimeoutError')
    return new MongoBusyError('MONGO_POOL_WAIT', `MongoDB at ${where}: no connection became free in time`, error)
  if (AWAY.has(raw.name) || (code !== undefined && UNAVAILABLE.has(code)) || isSocketError(error))
    return new MongoUnavailableError(`MongoDB at ${where}: ${raw.message}`, { cause: error })
  if (raw.name === 'MongoOperationTimeoutError' || code === MAX_TIME_EXPIRED)
    return new MongoTimeoutError(`MongoDB at ${where}: ${raw.message}`, error)
  if (code !== undefined && DUPLICATE.has(code)) return duplicate(raw, code)
  if (code === WRITE_CONFLICT || raw.hasErrorLabel?.('TransientTransactionError'))
    return new MongoConflictError(`MongoDB at ${where}: ${raw.message}`, error)
  if (raw.name === 'MongoParseError' || raw.name === 'MongoMissingCredentialsError' || REFUSED.has(code ?? -1))
    return new MongoSettingsError('MONGO_REFUSED', `MongoDB at ${where}: ${raw.message}`, { cause: error })
  if (raw.name.startsWith('Mongo')) return new MongoCommandError('MONGO_COMMAND', raw.message, code, error)
  return error
}

/** Of the socket, as Node has it, and not of the driver. */
export function isSocketError(error: unknown): boolean {
  return error instanceof Error && !error.name.startsWith('Mongo') && GONE.has(String((error as Raw).code))
}

// No cause and not the server's words: "dup key: { email: "a@b" }" quotes the value. It names the index before that.
function duplicate(raw: Raw, code: number): DuplicateKeyError {
  const index = /index: (\S+)/.exec(raw.message)?.[1]
  const pattern = typeof raw.keyPattern === 'object' && raw.keyPattern ? Object.keys(raw.keyPattern) : fieldsOf(index)
  const of = index === undefined ? '' : ` of the unique index ${index}`
  const [refused] = Array.isArray(raw.writeErrors) ? (raw.writeErrors as { readonly index?: number }[]) : []
  return new DuplicateKeyError(`a document with the same values${of} is there already`, code, pattern, refused?.index)
}

/** An index that was given no name is called `email_1_shop_-1`; servers that send no key pattern still send that. */
function fieldsOf(index: string | undefined): string[] {
  if (index === undefined) return []
  if (index === '_id_') return ['_id']
  const parts = [...index.matchAll(/(.+?)_(?:-?1|text|hashed|2dsphere)(?:_|$)/g)]
  return parts.map(([, name]) => name!)
}

/** Misuse of this module by its caller. */
export function misuse(code: string, message: string): UsageError {
  return new UsageError(code, message)
}
