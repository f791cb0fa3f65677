// A PostgreSQL server for the tests of one file, in a folder that goes with it.
import { rmSync } from 'node:fs'
import { chmod, cp, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, embeddedPostgres, type Database, type EmbeddedPostgres } from '../../../src/data/postgres/index.ts'
import type { ConnectOptions } from '../../../src/data/postgres/index.ts'

// When the process ends, because hooks run in the order in which they were made: a server may write until the last of them. It is asked
// for again where a server that was killed still makes files.
const folders: string[] = []
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 20 })
})

export interface TestServer {
  readonly server: EmbeddedPostgres
  readonly dataDir: string
  /** A pool of its own, closed when the file's tests are done. */
  open(options?: ConnectOptions): Promise<Database>
}

export async function testServer(): Promise<TestServer> {
  const dataDir = await temporaryFolder()
  const server = await embeddedPostgres({ dataDir })
  const open: Database[] = []
  after(async () => {
    await Promise.all(open.map(database => database.close(0)))
    await server.stop()
  })
  return {
    server,
    dataDir,
    open: async options => {
      const database = await connect({ url: server.url, ...options })
      open.push(database)
      return database
    },
  }
}

/** A copy of a stopped server's folder: making a database takes most of a second. */
export async function copyOf(dataDir: string): Promise<string> {
  const folder = await temporaryFolder()
  await cp(join(dataDir, 'data'), join(folder, 'data'), { recursive: true })
  return folder
}

/** Removed when the process ends. Open, so that nobody (uid 65534) can reach it too. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-test-'))
  folders.push(folder)
  await chmod(folder, 0o755)
  return folder
}

/** Asks until the answer is not undefined; for facts of other processes, which announce nothing. */
export async function eventually<T>(ask: () => T | undefined | Promise<T | undefined>, withinMs = 60_000): Promise<T> {
  const deadline = Date.now() + withinMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (Date.now() > deadline) throw new Error(`not so within ${withinMs} ms: ${ask.toString()}`)
    await sleep(10)
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
