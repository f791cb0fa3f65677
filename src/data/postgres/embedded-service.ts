// Runs a PostgreSQL server of our own beside the application: started once, restarted when it dies, gone when its launcher is.
//
// It listens on a unix socket only, in a folder that only its owner can enter. The supervisor starts it before the first worker and
// stops it after the last (see ServiceSpec in core/host.ts); scripts and tests call `embeddedPostgres`.
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdir, open, readFile, rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { RunningService, ServiceSpec } from '../../core/host.ts'
import { findBinaries, type PostgresBinaries } from './embedded-binaries.ts'
import {
  findOccupant,
  prepareData,
  prepareSocketFolder,
  removeStaleLocks,
  SUPERUSER,
  type Occupant,
} from './embedded-data.ts'
import { chooseIdentity, type Identity } from './embedded-identity.ts'
import { PostgresSettingsError } from './errors.ts'

export interface EmbeddedOptions {
  /** Where data, socket and log are kept; relative to the working directory. Default `.millrace/postgres`. */
  readonly dataDir?: string
  /** Created when it does not exist. Default `app`. */
  readonly database?: string
}

/** What clients need in order to connect. */
export interface EmbeddedAddress {
  readonly socketDir: string
  readonly port: number
  readonly database: string
  readonly user: string
}

export interface EmbeddedPostgres extends RunningService {
  readonly address: EmbeddedAddress & Readonly<Record<string, unknown>>
  /** For DATABASE_URL and for tools. */
  readonly url: string
  /** The server's process now; another one after it died and was started again. */
  readonly pid: number
}

const DEFAULT_DATA_DIR = '.millrace/postgres'
const DEFAULT_DATABASE = 'app'

// Part of the socket's file name only: nothing listens on TCP.
const PORT = 5432

/** @returns the declaration by which a supervisor starts this module once for all workers */
export function embeddedSpec(options: EmbeddedOptions): ServiceSpec {
  const dataDir = resolve(options.dataDir ?? DEFAULT_DATA_DIR)
  return {
    name: 'embedded-postgres',
    key: dataDir,
    module: import.meta.url,
    options: { dataDir, database: options.database ?? DEFAULT_DATABASE },
  }
}

/** The form that `ServiceSpec.module` asks for. */
export function start(options: EmbeddedOptions = {}): Promise<EmbeddedPostgres> {
  return embeddedPostgres(options)
}

/**
 * Starts a PostgreSQL server of our own and resolves when it answers queries.
 *
 * The caller owns it: `stop()` ends it, and so does the caller's death.
 *
 * @throws PostgresSettingsError `POSTGRES_NO_BINARIES`, `POSTGRES_ROOT`, `POSTGRES_DATA_VERSION`, `POSTGRES_INITDB`,
 *   `POSTGRES_DATA_IN_USE` or `POSTGRES_START`
 */
export async function embeddedPostgres(options: EmbeddedOptions = {}): Promise<EmbeddedPostgres> {
  const folder = resolve(options.dataDir ?? DEFAULT_DATA_DIR)
  await mkdir(folder, { recursive: true })
  const binaries = await findBinaries(process.cwd())
  const identity = await chooseIdentity(binaries.directory, folder)
  const data = await prepareData(folder, binaries, identity)
  await awaitVacancy(data)
  const socketDir = await prepareSocketFolder(folder, PORT, identity)
  const address = { socketDir, port: PORT, database: options.database ?? DEFAULT_DATABASE, user: SUPERUSER }
  const server = new EmbeddedServer({ folder, data, binaries, identity, address })
  await server.start()
  return server
}

/** @returns a URL that pg and libpq read, for a server behind a unix socket */
export function socketUrl(address: EmbeddedAddress): string {
  const database = encodeURIComponent(address.database)
  return `postgresql:///${database}?host=${encodeURIComponent(address.socketDir)}&port=${address.port}&user=${address.user}`
}

/** Creates the database unless it is there; safe when several processes do so at once. */
export async function ensureDatabase(address: EmbeddedAddress, database: string): Promise<void> {
  const client = new pg.Client({ ...clientConfig(address), database: 'postgres' })
  client.on('error', () => {})
  await client.connect()
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [database])
    if (rowCount === 0) await client.query(`create database ${pg.escapeIdentifier(database)}`)
  } catch (error) {
    // 42P04 and 23505: another process created it between the two statements.
    if (!['42P04', '23505'].includes((error as { code?: string }).code ?? '')) throw error
  } finally {
    await client.end()
  }
}

interface Facts {
  readonly folder: string
  readonly data: string
  readonly binaries: PostgresBinaries
  readonly identity: Identity
  readonly address: EmbeddedAddress
}

// A server that dies again and again is started again ever more slowly; one that lived for a minute starts afresh.
const RESTART_DELAYS_MS = [0, 250, 500, 1000, 2000, 5000, 10_000]
const HEALTHY_AFTER_MS = 60_000

// Recovery after a crash replays the log since the last checkpoint (five minutes by default).
const READY_WITHIN_MS = 120_000

// Fast shutdown writes a checkpoint; a server that has not ended by then is told to abort.
const STOP_WITHIN_MS = 20_000

class EmbeddedServer implements EmbeddedPostgres {
  readonly address: EmbeddedPostgres['address']
  readonly url: string
  readonly #facts: Facts
  #child: ChildProcess | undefined
  #exited: Promise<string> = Promise.resolve('')
  #pid = 0
  #restarts = 0
  #stopping: Promise<void> | undefined

  constructor(facts: Facts) {
    this.#facts = facts
    this.address = { ...facts.address }
    this.url = socketUrl(facts.address)
  }

  get pid(): number {
    return this.#pid
  }

  async start(): Promise<void> {
    try {
      await this.#launch()
      await ensureDatabase(this.address, this.address.database)
    } catch (error) {
      await this.stop()
      throw error
    }
    this.#watch()
  }

  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop())
  }

  async #launch(): Promise<void> {
    const { folder, data, binaries, identity } = this.#facts
    await removeStaleLocks(data, this.address.socketDir, this.address.port)
    const log = join(folder, 'server.log')
    const file = await open(log, 'w', 0o600)
    const [command, ...args] = [
      ...identity.prefix,
      ...identity.guard,
      join(binaries.directory, 'postgres'),
      ...['-D', data],
      ...serverSettings(this.address).flatMap(setting => ['-c', setting]),
    ]
    const guarded = identity.guardReadsPipe
    const child = spawn(command!, args, {
      ...identity.spawnAs,
      cwd: '/',
      // Its own session: Ctrl-C in a terminal reaches the supervisor, which stops the workers first and this last.
      detached: true,
      stdio: [guarded ? 'pipe' : 'ignore', guarded ? 'pipe' : file.fd, file.fd],
    })
    child.stdin?.on('error', () => {})
    this.#exited = new Promise(done => {
      child.once('error', error => done(error.message))
      child.once('exit', (code, signal) => done(signal ?? `exit code ${code}`))
    })
    this.#child = child
    await file.close()
    this.#pid = guarded ? await announcedPid(child) : (child.pid ?? 0)
    await this.#untilReady(log)
    // From here on the application decides how long the process lives, not this child.
    child.unref()
    ;(child.stdin as Socket | null)?.unref()
  }

  async #untilReady(log: string): Promise<void> {
    const deadline = Date.now() + READY_WITHIN_MS
    let ended: string | undefined
    void this.#exited.then(how => (ended = how))
    for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 1.5, 100)) {
      // Both, because a rival's server would answer at the same socket.
      if ((await findOccupant(this.#facts.data))?.pid === this.#pid && (await answers(this.address))) return
      if (ended !== undefined || this.#stopping || Date.now() > deadline) {
        const said = (await readFile(log, 'utf8').catch(() => '')).trim().slice(-1500)
        const how = ended === undefined ? `did not answer within ${READY_WITHIN_MS / 1000} s` : `ended (${ended})`
        throw new PostgresSettingsError('POSTGRES_START', `The embedded PostgreSQL server ${how}. It said:\n${said}`)
      }
      await sleep(pauseMs)
    }
  }

  #watch(): void {
    const readyAtMs = Date.now()
    void this.#exited.then(async how => {
      if (this.#stopping) return
      if (Date.now() - readyAtMs > HEALTHY_AFTER_MS) this.#restarts = 0
      process.emitWarning(`The embedded PostgreSQL server ended (${how}); starting it again`, {
        code: 'POSTGRES_RESTARTED',
      })
      await this.#restart()
    })
  }

  async #restart(): Promise<void> {
    while (!this.#stopping) {
      await sleep(RESTART_DELAYS_MS[Math.min(this.#restarts++, RESTART_DELAYS_MS.length - 1)], undefined, {
        ref: false,
      })
      try {
        // When only the guard died, the server itself lives on.
        await endServer(this.#facts.data, this.#pid, STOP_WITHIN_MS)
        if (this.#stopping) return
        await this.#launch()
        this.#watch()
        return
      } catch (error) {
        process.emitWarning(`The embedded PostgreSQL server did not start again: ${(error as Error).message}`, {
          code: 'POSTGRES_RESTART_FAILED',
        })
      }
    }
  }

  async #stop(): Promise<void> {
    const child = this.#child
    if (child?.pid !== undefined) {
      child.ref()
      // Not yet far enough to have written its pid file?
      if (child.exitCode === null && child.signalCode === null) kill(this.#pid, 'SIGINT')
      await endServer(this.#facts.data, this.#pid, STOP_WITHIN_MS)
      child.stdin?.destroy()
      await this.#exited
    }
    const { folder } = this.#facts
    if (dirname(this.address.socketDir) !== folder) await rm(this.address.socketDir, { recursive: true, force: true })
  }
}

function serverSettings(address: EmbeddedAddress): string[] {
  return [
    `listen_addresses=`,
    `port=${address.port}`,
    `unix_socket_directories=${quoted(address.socketDir)}`,
    'unix_socket_permissions=0700',
    'max_connections=100',
    'shared_buffers=128MB',
    'timezone=UTC',
    'log_timezone=UTC',
    // What clients did wrong is told to the clients; the log keeps the server's own life, so it stays small.
    'log_min_messages=log',
    'log_checkpoints=off',
    // An error's text is read by mapError.
    'lc_messages=C',
  ]
}

// unix_socket_directories is a list; double quotes keep commas and spaces in one name.
function quoted(path: string): string {
  return `"${path.replaceAll('"', '""')}"`
}

function clientConfig(address: EmbeddedAddress): pg.ClientConfig {
  return { host: address.socketDir, port: address.port, user: address.user, connectionTimeoutMillis: 5000 }
}

async function answers(address: EmbeddedAddress): Promise<boolean> {
  const client = new pg.Client({ ...clientConfig(address), database: 'postgres' })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('select 1')
    return true
  } catch {
    return false
  } finally {
    await client.end()
  }
}

// A launcher that has just died leaves a server in the middle of its shutdown: worth a moment's wait.
async function awaitVacancy(data: string): Promise<void> {
  const began = Date.now()
  let occupant: Occupant | undefined
  while ((occupant = await findOccupant(data))) {
    const patienceMs = occupant.status === 'ready' ? 1000 : STOP_WITHIN_MS
    if (Date.now() - began > patienceMs)
      throw new PostgresSettingsError(
        'POSTGRES_DATA_IN_USE',
        `Another PostgreSQL server (pid ${occupant.pid}) is using ${data}. Stop it, or use it: ` +
          `DATABASE_URL='${socketUrl({ socketDir: occupant.socketDir, port: PORT, database: DEFAULT_DATABASE, user: SUPERUSER })}'`,
      )
    await sleep(50)
  }
}

// Asks our own server to end and waits until it has; nobody else's, even on the same data.
async function endServer(data: string, pid: number, withinMs: number): Promise<void> {
  const began = Date.now()
  let told: NodeJS.Signals | undefined
  while ((await findOccupant(data))?.pid === pid) {
    const signal = Date.now() - began > withinMs ? 'SIGQUIT' : 'SIGINT'
    if (told !== signal) kill(pid, signal)
    told = signal
    await sleep(10)
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    if (pid > 0) process.kill(pid, signal)
  } catch {
    // Gone already.
  }
}

/** The pipe guard's first line is the server's process id. @returns 0 when it ended before it could say so */
function announcedPid(child: ChildProcess): Promise<number> {
  return new Promise(resolve => {
    child.stdout?.once('data', (line: Buffer) => resolve(Number.parseInt(line.toString(), 10) || 0))
    child.once('error', () => resolve(0))
    child.once('exit', () => resolve(0))
  })
}
