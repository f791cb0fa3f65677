// One connection to PostgreSQL, used by one borrower at a time: runs statements in turn, cancels the running one, knows when it is dead.
//
// The life of an abort: the signal fires -> the borrower's promise rejects with the signal's reason -> a CancelRequest goes out on a socket
// of its own -> the server ends the statement -> `settled` resolves once both the statement and that socket have ended. Only then may
// the connection be lent again: a cancel still on its way would hit the next borrower's statement.
import pg from 'pg'
import { CANCEL_WITHIN_MS, type CancelTarget, sendCancel } from './cancel-request.ts'
import { DatabaseUnavailableError, mapError, misuse } from './errors.ts'
import type { CompiledSql } from './sql.ts'
import { encodeParameters } from './sql.ts'
import type { Notification } from './subscription.ts'
import { Statement, type Columns, type Result, type StatementPlan, type Wire } from './statement.ts'

export interface ConnectionOptions {
  readonly config: ClientConfig
  /** How many prepared statements a connection keeps; beyond it the least recently used is forgotten. */
  readonly maxPrepared: number
  /** How often the server looks whether we are still there while a statement runs; 0: when it has something to send. */
  readonly peerCheckMs: number
  /** A pooler stands before the server, and prepares statements anew on whichever of its sessions it lends: their columns may have changed since. */
  readonly isPooled?: boolean
  /** It may be a standby, which takes no writes: for reading. Default: then what writes finds a server that is away. */
  readonly mayBeStandby?: boolean
}

const CANCEL_AGAIN_MS = 25

const CLOSE_WITHIN_MS = 1000

// read_only_sql_transaction
const READ_ONLY = '25006'

const PEER_CHECK = 'client_connection_check_interval'
const NO_PEER_CHECK = new RegExp(`${PEER_CHECK}|startup parameter: options`)

type Request = Pick<StatementPlan, 'text' | 'values' | 'name' | 'script' | 'isRaw'>

/** What pg's Client takes. Named here, so that our declarations need none of pg's types. */
export type ClientConfig = Readonly<Record<string, unknown>>

/** What we use of pg's Client, some of which its own types do not tell. */
interface PgClient extends CancelTarget {
  readonly database?: string
  readonly connectionParameters: { options?: string | undefined }
  readonly connection: Wire & {
    readonly stream: { destroy(): unknown }
    on(event: 'parameterStatus', listener: (message: ParameterStatus) => void): unknown
    once(event: 'readyForQuery', listener: () => void): unknown
  }
  /** The server waits for a statement. */
  readonly readyForQuery: boolean
  /** I: in none; T: in a transaction; E: in one that has failed. Not all versions of pg that we take have it. */
  getTransactionStatus?(): 'I' | 'T' | 'E' | null
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'end', listener: () => void): unknown
  on(event: 'notification', listener: (message: Omit<Notification, 'type'>) => void): unknown
  connect(): Promise<unknown>
  query(statement: object): unknown
  end(): Promise<void>
}

interface ParameterStatus {
  readonly parameterName: string
  readonly parameterValue: string
}

export class Connection {
  readonly #client: PgClient
  readonly #options: ConnectionOptions
  readonly #where: string
  /** Statements prepared here, least recently used first, with their columns once these are known. */
  readonly #prepared = new Map<string, Columns | undefined>()
  #broken = false
  #lastWords = ''
  #running: Promise<unknown> | undefined
  #cancelling: Promise<void> | undefined
  /** A statement has failed, and the server has not yet said in which state that leaves the connection. */
  #recovering: PromiseWithResolvers<void> | undefined
  #isStandby = false
  /** Called when a prepared statement is not there, or is there and was not prepared here. */
  onVanished: () => void = () => {}
  /** Called once when the connection dies by itself. */
  onBroken: () => void = () => {}
  /** Called for each notification of a channel that LISTEN was sent for. */
  onNotification: (notification: Notification) => void = () => {}

  private constructor(client: PgClient, options: ConnectionOptions) {
    this.#client = client
    this.#options = options
    this.#where = placeOf(client)
    // With its greeting, and again when it is promoted.
    client.connection.on('parameterStatus', ({ parameterName, parameterValue }) => {
      if (parameterName === 'in_hot_standby') this.#isStandby = parameterValue === 'on'
    })
    // A socket error outside any statement would otherwise end the process. The server says so why it ends a session: it idled for too long.
    client.on('error', error => {
      this.#lastWords ||= error.message
      this.#break()
    })
    client.on('end', () => this.#break())
    client.on('notification', ({ channel, payload, processId }) =>
      this.onNotification({ type: 'notification', channel, payload, processId }),
    )
  }

  /** @throws DatabaseUnavailableError, PostgresSettingsError */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const client = makeClient(options.config)
    const { connectionParameters: parameters } = client
    // Else a statement whose client is gone, killed or cut off, runs to its end.
    if (options.peerCheckMs > 0)
      parameters.options = `${parameters.options ?? ''} -c ${PEER_CHECK}=${options.peerCheckMs}`.trim()
    const connection = new Connection(client, options)
    try {
      await client.connect()
      return connection
    } catch (error) {
      // Not awaited: the socket may never have opened, and then pg has no end to announce.
      void client.end().catch(() => {})
      client.connection.stream.destroy()
      // A server of another make, or on a system that cannot tell; or PgBouncer, unless it is told to ignore such options.
      if (options.peerCheckMs > 0 && error instanceof Error && NO_PEER_CHECK.test(error.message))
        return Connection.open({ ...options, peerCheckMs: 0 })
      throw mapError(error, placeOf(client))
    }
  }

  /** Once true, for ever: the connection can only be closed. */
  get broken(): boolean {
    return this.#broken
  }

  /** The server follows another one, and takes no writes. Told since PostgreSQL 14; earlier ones are taken for primaries. */
  get isStandby(): boolean {
    return this.#isStandby
  }

  /** Host, port and database, as messages name them. */
  get where(): string {
    return this.#where
  }

  /** Of the server's process, as it was told at the start; a pooler tells a number of its own. */
  get processId(): number {
    return this.#client.processID
  }

  /** Undefined when the connection may be lent again at once; else resolves when what was aborted has ended everywhere. */
  get settled(): Promise<void> | undefined {
    if (!this.#running && !this.#cancelling && !this.#recovering) return undefined
    return Promise.all([this.#running?.catch(ignore), this.#cancelling, this.#recovering?.promise]).then(
      () => this.settled,
    )
  }

  /** Somebody began a transaction and has not ended it; told once it has settled. */
  get isInTransaction(): boolean {
    const status = this.#client.getTransactionStatus?.()
    return status === 'T' || status === 'E'
  }

  /**
   * Runs a statement; one at a time, later ones wait.
   *
   * @param name  of the prepared statement; empty: none
   * @param check  called when its turn has come; throws when the statement must not run any more
   * @throws the typed errors of errors.ts, or the signal's reason
   */
  async run(sql: CompiledSql, name: string, signal?: AbortSignal, check?: () => void): Promise<Result> {
    const { text, isRaw = false } = sql
    return this.#send({ text, values: encodeParameters(sql.values), name, script: false, isRaw }, signal, check)
  }

  /** Runs several statements in one text. */
  script(text: string, signal?: AbortSignal, check?: () => void): Promise<Result> {
    return this.#send({ text, values: [], name: '', script: true, isRaw: false }, signal, check)
  }

  /**
   * Runs a query of another kind (a portal, a copy) in its turn.
   *
   * @param text  for its errors
   * @param make  gets what is to be called once when it has ended, and gives the object that pg drives
   */
  async perform<T>(
    text: string,
    make: (ended: Ended<T>) => object,
    signal?: AbortSignal,
    check?: () => void,
  ): Promise<T> {
    for (let busy = this.#busy; busy; busy = this.#busy) await busy
    signal?.throwIfAborted()
    check?.()
    if (this.#broken) throw this.#gone()
    const { promise: answer, resolve, reject } = Promise.withResolvers<T>()
    const query = make((error, value) => {
      this.#ended(error)
      if (error) reject(error)
      else resolve(value!)
    })
    this.#client.query(query)
    this.#running = answer
    try {
      return await (signal ? this.#abortable(answer, signal) : answer)
    } catch (error) {
      throw signal?.aborted && error === signal.reason ? error : this.#typed(error, text)
    }
  }

  /** Asks the server to end the running statement, if any; see `settled`. */
  cancel(): void {
    if (this.#running && !this.#cancelling && !this.#broken) this.#cancelling = this.#cancel(this.#running)
  }

  async close(): Promise<void> {
    this.#broken = true
    this.#onRecovered()
    const { stream } = this.#client.connection
    // A peer that does not answer the goodbye is left without it.
    const timer = setTimeout(() => stream.destroy(), CLOSE_WITHIN_MS)
    await this.#client.end().catch(() => {})
    clearTimeout(timer)
  }

  async #send(request: Request, signal?: AbortSignal, check?: () => void): Promise<Result> {
    for (let busy = this.#busy; busy; busy = this.#busy) await busy
    signal?.throwIfAborted()
    check?.()
    if (this.#broken) throw this.#gone()
    const answer = this.#submit(this.#plan(request))
    this.#running = answer
    try {
      return await (signal ? this.#abortable(answer, signal) : answer)
    } catch (error) {
      if (signal?.aborted && error === signal.reason) throw error
      throw this.#explain(error, request)
    }
  }

  /** What the next statement waits for: the one that runs, and a cancel of it that is on its way and would hit the next one. */
  get #busy(): Promise<unknown> | undefined {
    return this.#cancelling ?? this.#running?.catch(ignore)
  }

  #ended(error: Error | null): void {
    this.#running = undefined
    if (!error || this.#broken || this.#client.readyForQuery) return
    // That comes with the error as a rule, and before anybody has read it.
    this.#recovering ??= Promise.withResolvers<void>()
    this.#client.connection.once('readyForQuery', this.#onRecovered)
  }

  readonly #onRecovered = (): void => {
    this.#recovering?.resolve()
    this.#recovering = undefined
  }

  #submit(plan: StatementPlan): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      const statement = new Statement(plan, (error, result) => {
        this.#ended(error)
        if (plan.name !== '' && !plan.columns && statement.columns && !this.#options.isPooled)
          this.#prepared.set(plan.name, statement.columns)
        if (error) reject(error)
        else resolve(result!)
      })
      this.#client.query(statement)
    })
  }

  #abortable<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const onAbort = (): void => {
        this.cancel()
        reject(signal.reason)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
    })
  }

  #plan(request: Request): StatementPlan {
    const { name, text } = request
    if (name === '') return { ...request, columns: undefined, evict: undefined }
    const prepared = this.#client.connection.parsedStatements[name]
    if (prepared !== undefined && prepared !== text)
      throw misuse(
        'POSTGRES_BAD_NAME',
        `the name of a prepared statement stands for one text, and ${JSON.stringify(name)} for another one already; not sent: ${text}`,
      )
    const columns = this.#prepared.get(name)
    const known = this.#prepared.delete(name)
    this.#prepared.set(name, columns)
    if (known || this.#prepared.size <= this.#options.maxPrepared) return { ...request, columns, evict: undefined }
    const [evict] = this.#prepared.keys()
    this.#prepared.delete(evict!)
    return { ...request, columns, evict }
  }

  #explain(error: unknown, request: Request): unknown {
    const { code, routine } = error as { code?: string; routine?: string }
    // A migration changed the statement's columns, or something (DISCARD ALL, a pooler) took the prepared statement away: forget it here,
    // so that the next run prepares it anew.
    if (request.name !== '' && (isVanished(code) || (code === '0A000' && routine === 'RevalidateCachedQuery'))) {
      if (isVanished(code)) this.onVanished()
      this.#forget(request.name)
      return new StalePlanError(this.#typed(error, request.text))
    }
    return this.#typed(error, request.text)
  }

  #typed(error: unknown, text: string): unknown {
    const isDemoted =
      (error as { code?: string }).code === READ_ONLY && this.#isStandby && this.#options.mayBeStandby !== true
    const typed = isDemoted
      ? new DatabaseUnavailableError(`PostgreSQL at ${this.#where}: a standby, which takes no writes`, { cause: error })
      : mapError(error, this.#where, text)
    // The server's last word may be here before the end of its socket: nobody is to be lent the connection in between.
    if (typed instanceof DatabaseUnavailableError || isFatal(error)) this.#break()
    return typed
  }

  #forget(name: string): void {
    this.#prepared.delete(name)
    delete this.#client.connection.parsedStatements[name]
    this.#client.connection.close({ type: 'S', name })
  }

  #gone(): DatabaseUnavailableError {
    const why = this.#lastWords === '' ? '' : `: ${this.#lastWords}`
    return new DatabaseUnavailableError(`PostgreSQL at ${this.#where}: the connection has ended${why}`)
  }

  #break(): void {
    if (this.#broken) return
    this.#broken = true
    this.#onRecovered()
    this.onBroken()
  }

  async #cancel(running: Promise<unknown>): Promise<void> {
    const timer = setTimeout(() => this.#client.connection.stream.destroy(), CANCEL_WITHIN_MS)
    const ended = running.catch(ignore)
    // A cancel may overtake the statement that it is meant for, and then finds none to end: it is sent until the statement has ended.
    do await sendCancel(this.#client)
    while (!(await settlesWithin(ended, CANCEL_AGAIN_MS)) && !this.#broken)
    await ended
    clearTimeout(timer)
    this.#cancelling = undefined
  }
}

/** Called once, when the server has ended a query, well or not. */
export type Ended<T> = (error: Error | null, value?: T) => void

/** invalid_sql_statement_name, duplicate_prepared_statement */
function isVanished(code: string | undefined): boolean {
  return code === '26000' || code === '42P05'
}

/** The server ends the session with it, and does not translate it. */
function isFatal(error: unknown): boolean {
  const { severity } = error as { severity?: string }
  return severity === 'FATAL' || severity === 'PANIC'
}

/** The prepared statement no longer fits its table; the same statement succeeds when it is sent again. */
export class StalePlanError extends Error {
  readonly error: unknown
  constructor(error: unknown) {
    super('stale plan')
    this.error = error
  }
}

/** @returns host, port and database, as messages name them; no user, no password */
export function placeOf(client: PgClient): string {
  const { host, port, database } = client
  return host.startsWith('/') ? `${host}/${database}` : `${host.includes(':') ? `[${host}]` : host}:${port}/${database}`
}

export function makeClient(config: ClientConfig): PgClient {
  return new pg.Client(config) as unknown as PgClient
}

function settlesWithin(ended: Promise<unknown>, withinMs: number): Promise<boolean> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, withinMs, false)
    void ended.then(() => {
      clearTimeout(timer)
      resolve(true)
    })
  })
}

function ignore(): void {}
