// The server's process: launched, watched, launched again when it dies, and stopped.
import { spawn, type ChildProcess } from 'node:child_process'
import { open, readFile, rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { answers, ensureDatabase, socketUrl, type EmbeddedAddress } from './embedded-address.ts'
import type { PostgresBinaries } from './embedded-binaries.ts'
import { findOccupant, removeStaleLocks } from './embedded-data.ts'
import type { Identity } from './embedded-identity.ts'
import { PostgresSettingsError } from './errors.ts'

export interface Launch {
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
export const STOP_WITHIN_MS = 20_000

// PostgreSQL's own default, by name: what it has is told before it runs.
export const EMBEDDED_CONNECTIONS = 100

/** @see EmbeddedPostgres, which it is */
export class EmbeddedServer {
  readonly address: EmbeddedAddress & Readonly<Record<string, unknown>>
  readonly url: string
  readonly #facts: Launch
  #child: ChildProcess | undefined
  #exited: Promise<string> = Promise.resolve('')
  #pid = 0
  #restarts = 0
  #stopping: Promise<void> | undefined

  constructor(facts: Launch) {
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
    `max_connections=${EMBEDDED_CONNECTIONS}`,
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
