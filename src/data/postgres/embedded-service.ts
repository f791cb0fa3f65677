// Runs a PostgreSQL server of our own beside the application: started once, restarted when it dies, gone when its launcher is.
//
// It listens on a unix socket only, in a folder that only its owner can enter. The supervisor starts it before the first worker and
// stops it after the last (see ServiceSpec in core/host.ts); scripts and tests call `embeddedPostgres`.
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RunningService, ServiceSpec } from '../../core/host.ts'
import { socketUrl, type EmbeddedAddress } from './embedded-address.ts'
import { findBinaries } from './embedded-binaries.ts'
import { findOccupant, prepareData, prepareSocketFolder, SUPERUSER, type Occupant } from './embedded-data.ts'
import { chooseIdentity } from './embedded-identity.ts'
import { EmbeddedServer, STOP_WITHIN_MS } from './embedded-server.ts'
import { PostgresSettingsError } from './errors.ts'

export interface EmbeddedOptions {
  /** Where data, socket and log are kept; relative to the working directory. Default `.millrace/postgres`. */
  readonly dataDir?: string
  /** Created when it does not exist. Default `app`. */
  readonly database?: string
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

/** @returns the URL of a server that another process runs on this folder now; undefined where none does, or it is on its way */
export async function findRunning(options: EmbeddedOptions): Promise<string | undefined> {
  const occupant = await findOccupant(join(resolve(options.dataDir ?? DEFAULT_DATA_DIR), 'data'))
  if (occupant?.status !== 'ready') return undefined
  const { socketDir } = occupant
  return socketUrl({ socketDir, port: PORT, database: options.database ?? DEFAULT_DATABASE, user: SUPERUSER })
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
