// Every way in which the database can fail, as types: unavailable, full, too slow, refused by a constraint, misconfigured.
//
// Messages are for the log and never hold a password or a parameter value. What PostgreSQL says about values ("Key (email)=(a@b)
// already exists") stays in `serverDetail`; a client only ever sees `detail`, which says nothing about the database.
import { MillraceError, OverloadError, UsageError, type ErrorFacts } from '../../core/error.ts'

/** The operator's turn: an address, a role, a database or a data folder is wrong. Trying again will not help. */
export class PostgresSettingsError extends MillraceError {}

/** The database does not answer, or has just ended our connection. Status 503 with Retry-After. */
export class DatabaseUnavailableError extends MillraceError {
  /** A statement was on its way, and the server did not say that it ended it: it may have been run. In a transaction it was undone. */
  readonly mayHaveRun: boolean

  constructor(message: string, facts: ErrorFacts & { readonly mayHaveRun?: boolean } = {}) {
    const { mayHaveRun = false, ...others } = facts
    super('POSTGRES_UNAVAILABLE', message, {
      status: 503,
      detail: 'The database is not available at the moment.',
      retryAfterMs: 1000,
      ...others,
    })
    this.mayHaveRun = mayHaveRun
  }
}

/**
 * The connection was lost between a statement that writes, or a COMMIT, and its answer: whether it was done is not known. Status 503, and no
 * Retry-After, by which clients send again what is no GET: it may be done twice.
 */
export class OutcomeUnknownError extends MillraceError {
  constructor(cause: DatabaseUnavailableError) {
    super('POSTGRES_OUTCOME_UNKNOWN', `${cause.message}; whether what was sent has been done is not known`, {
      status: 503,
      detail: 'The database went away; whether the change was made is not known.',
      cause,
    })
  }
}

// What begins otherwise may write; a function that a select calls may, too, and is taken for one that does not.
const READS = /^\s*(?:select|table|values|show|explain)\b/i

/** @param text  of a statement on its own, which is a transaction by itself @returns what its caller is to be told */
export function outcomeOf(error: unknown, text: string): unknown {
  const isUnknown = error instanceof DatabaseUnavailableError && error.mayHaveRun && !READS.test(text)
  return isUnknown ? new OutcomeUnknownError(error) : error
}

/** No connection became free: the line of waiters is full (`POSTGRES_POOL_FULL`) or the wait too long. Status 503 with Retry-After. */
export class PoolFullError extends OverloadError {
  constructor(code: 'POSTGRES_POOL_FULL' | 'POSTGRES_POOL_WAIT', message: string) {
    super(code, message, { detail: 'The database is busy at the moment.' })
  }
}

/** `.one()` found no row or several, `.maybe()` several. */
export class RowCountError extends MillraceError {
  readonly rows: number
  constructor(code: 'POSTGRES_NO_ROW' | 'POSTGRES_MANY_ROWS', message: string, rows: number) {
    super(code, message)
    this.rows = rows
  }
}

/** `.one()` found no row. */
export class NoRowError extends RowCountError {
  constructor() {
    super('POSTGRES_NO_ROW', 'expected one row, found none; use .maybe() where none is fine', 0)
  }
}

/** `.one()` or `.maybe()` found more than one row. */
export class ManyRowsError extends RowCountError {
  constructor(rows: number) {
    super('POSTGRES_MANY_ROWS', `expected at most one row, found ${rows}`, rows)
  }
}

/** A row is not what the query's schema declares. A bug of the statement or of the schema: 500, details in the log only. */
export class RowShapeError extends MillraceError {
  /** Which row, from 0. */
  readonly row: number
  constructor(row: number, issues: readonly string[]) {
    super('POSTGRES_ROW_SHAPE', `row ${row} is not what its schema declares: ${issues.join('; ')}`, { status: 500 })
    this.row = row
  }
}

/** What PostgreSQL said about a statement. */
export interface ServerReport {
  /** Five characters, e.g. `23505`: https://www.postgresql.org/docs/current/errcodes-appendix.html */
  readonly sqlState: string
  readonly message: string
  readonly constraint?: string | undefined
  readonly schema?: string | undefined
  readonly table?: string | undefined
  readonly column?: string | undefined
  /** May hold values of rows. For the log, not for clients. */
  readonly serverDetail?: string | undefined
  readonly hint?: string | undefined
  /** Where in the statement, counted in characters from 1. */
  readonly position?: number | undefined
  /** The statement's text, with `$1` where its values were. */
  readonly statement?: string | undefined
}

/** PostgreSQL refused a statement. Status 500 unless a handler says otherwise. */
export class QueryError extends MillraceError implements ServerReport {
  readonly sqlState: string
  readonly constraint: string | undefined
  readonly schema: string | undefined
  readonly table: string | undefined
  readonly column: string | undefined
  readonly serverDetail: string | undefined
  readonly hint: string | undefined
  readonly position: number | undefined
  readonly statement: string | undefined

  constructor(code: string, report: ServerReport, facts: ErrorFacts = {}) {
    super(code, `${report.message} (SQLSTATE ${report.sqlState})`, facts)
    this.sqlState = report.sqlState
    this.constraint = report.constraint
    this.schema = report.schema
    this.table = report.table
    this.column = report.column
    this.serverDetail = report.serverDetail
    this.hint = report.hint
    this.position = report.position
    this.statement = report.statement
  }
}

/** A row broke a rule of its table; `constraint` names the rule. */
export class ConstraintError extends QueryError {}
export class UniqueViolation extends ConstraintError {}
export class ForeignKeyViolation extends ConstraintError {}
export class CheckViolation extends ConstraintError {}
/** `column` names the column that was null. */
export class NotNullViolation extends ConstraintError {}

/**
 * Two transactions got in each other's way (serialization failure or deadlock), or a migration in that of a prepared statement; this one was undone
 * and may be run again.
 */
export class SerializationError extends QueryError {}

/** The statement ran longer than `statementTimeout`, or its transaction longer than the server allows; the server ended it. Status 504. */
export class QueryTimeoutError extends QueryError {}

type Kind = new (code: string, report: ServerReport, facts?: ErrorFacts) => QueryError

const KINDS: Readonly<Record<string, readonly [Kind, string, ErrorFacts?]>> = {
  '23502': [NotNullViolation, 'POSTGRES_NOT_NULL_VIOLATION'],
  '23503': [ForeignKeyViolation, 'POSTGRES_FOREIGN_KEY_VIOLATION'],
  '23505': [UniqueViolation, 'POSTGRES_UNIQUE_VIOLATION'],
  '23514': [CheckViolation, 'POSTGRES_CHECK_VIOLATION'],
  '23000': [ConstraintError, 'POSTGRES_CONSTRAINT_VIOLATION'],
  '23001': [ConstraintError, 'POSTGRES_CONSTRAINT_VIOLATION'],
  '23P01': [ConstraintError, 'POSTGRES_CONSTRAINT_VIOLATION'],
  '40001': [SerializationError, 'POSTGRES_SERIALIZATION', { status: 503, retryAfterMs: 1000 }],
  '40P01': [SerializationError, 'POSTGRES_SERIALIZATION', { status: 503, retryAfterMs: 1000 }],
}

// query_canceled, idle_in_transaction_session_timeout, transaction_timeout
const TOO_LONG = new Set(['57014', '25P03', '25P04'])

// Codes after which the server has closed the connection or never opened it, but may well do so a moment later:
// class 08, too_many_connections, admin_shutdown, crash_shutdown, cannot_connect_now, idle_session_timeout.
const UNAVAILABLE = /^(08...|53300|57P01|57P02|57P03|57P05)$/

// Socket and resolver errors of a server that is away or on its way.
const AWAY: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  ENOENT: 'no such socket',
  EPIPE: 'connection closed',
  ETIMEDOUT: 'timed out',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  ENOTFOUND: 'host name not found',
  EAI_AGAIN: 'host name not resolved',
}

// Node's codes of certificates: https://nodejs.org/api/tls.html#x509-certificate-error-codes
const UNTRUSTED = /CERT|SIGNATURE|^ERR_TLS_/

// Of a connection that is refused: what the role may not (42), or what the URL asks for and the server does not know (22, 42, 55, 0A).
const REFUSED = /^(0A|22|42|55)/

/**
 * @param where  host, port and database, for messages
 * @param statement  the text that was sent, if any
 * @returns the typed error for whatever pg threw; ours pass through unchanged
 */
export function mapError(error: unknown, where: string, statement?: string): unknown {
  const mayHaveRun = statement !== undefined
  if (error instanceof MillraceError || !(error instanceof Error)) return error
  const raw = error as Error & Record<string, unknown>
  const code = typeof raw.code === 'string' ? raw.code : ''
  if (code in AWAY)
    return new DatabaseUnavailableError(`PostgreSQL at ${where}: ${AWAY[code]}`, { cause: error, mayHaveRun })
  if (typeof raw.severity === 'string' && code.length === 5) return mapReport(raw, code, where, statement)
  // pg's own words for a socket that is gone carry no code.
  if (/terminated|timeout expired|not queryable|connection error|aborted/i.test(error.message))
    return new DatabaseUnavailableError(`PostgreSQL at ${where}: ${error.message}`, { cause: error, mayHaveRun })
  if (UNTRUSTED.test(code))
    return new PostgresSettingsError(
      'POSTGRES_REFUSED',
      `PostgreSQL at ${where}: its certificate is not trusted: ${error.message}. Name the authority's in the URL, ?sslmode=verify-full&sslrootcert=ca.pem, ` +
        'with the host that the certificate is for; ?sslmode=no-verify encrypts without looking at it',
      { cause: error },
    )
  // No TLS where it was asked for; a password that was asked for and not given.
  if (/\b(SSL|SASL|SCRAM|password)\b/.test(error.message))
    return new PostgresSettingsError('POSTGRES_REFUSED', `PostgreSQL at ${where}: ${error.message}`, { cause: error })
  return error
}

function mapReport(
  raw: Error & Record<string, unknown>,
  code: string,
  where: string,
  statement: string | undefined,
): MillraceError {
  // PgBouncer's words, with the code of a connection that failed: to try again will not help.
  const parameter = /unsupported startup parameter(?: in options)?: (\w+)/.exec(raw.message)?.[1]
  if (parameter !== undefined)
    return new PostgresSettingsError(
      'POSTGRES_REFUSED',
      `PostgreSQL at ${where}: ${raw.message}; a pooler stands before it. Say postgres({ pooler: 'transaction' }), or let it ignore the ` +
        `parameter, by ignore_startup_parameters = ${parameter} in PgBouncer's settings, or switch it off here (statementTimeout: 0, ` +
        'idleInTransactionTimeout: 0)',
      { cause: raw },
    )
  if (UNAVAILABLE.test(code))
    return new DatabaseUnavailableError(`PostgreSQL at ${where}: ${raw.message}`, { cause: raw })
  if (/^(28|3D)/.test(code) || (statement === undefined && REFUSED.test(code)))
    return new PostgresSettingsError('POSTGRES_REFUSED', `PostgreSQL at ${where}: ${raw.message}`, { cause: raw })
  const report: ServerReport = {
    sqlState: code,
    message: raw.message,
    constraint: text(raw.constraint),
    schema: text(raw.schema),
    table: text(raw.table),
    column: text(raw.column),
    serverDetail: text(raw.detail),
    hint: text(raw.hint),
    position: raw.position === undefined ? undefined : Number(raw.position),
    statement,
  }
  // No `cause`: everything that pg's error says is in the report.
  // Of a cancel of ours nobody reads the error; the server may say it in any language, and what is no admin's cancel in English is its time-out.
  if (TOO_LONG.has(code) && !raw.message.includes('user request'))
    return new QueryTimeoutError('POSTGRES_QUERY_TIMEOUT', report, {
      status: 504,
      detail: 'The database took too long to answer.',
    })
  const [Kind, kindCode, facts] = KINDS[code] ?? [QueryError, 'POSTGRES_QUERY']
  return new Kind(kindCode, report, facts)
}

/** Misuse of this module by its caller. */
export function misuse(code: string, message: string): UsageError {
  return new UsageError(code, message)
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
