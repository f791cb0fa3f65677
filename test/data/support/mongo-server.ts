// The MongoDB of a test file: a real server where MILLRACE_MONGODB_URL names one, else FerretDB where scripts/test.ts has built it, else our double.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { after } from 'node:test'
import { connect, type MongoConnectOptions, type MongoDatabase } from '../../../src/data/mongo/index.ts'
import { MongoDouble } from './mongo-double.ts'
import { temporaryFolder } from './server.ts'

const FERRETDB = join(import.meta.dirname, '../../../.millrace/tools/ferretdb')

export interface TestMongo {
  readonly name: 'MongoDB' | 'FerretDB' | 'the double'
  readonly host: string
  readonly port: number
  readonly url: string
  /** Without a word to its clients. Not of a real server, which is not ours to kill. */
  kill(): Promise<void>
  /** Where it was, with what it had. */
  startAgain(): Promise<void>
  /** A pool of its own on an empty database, closed when the file's tests are done. */
  open(options?: MongoConnectOptions): Promise<MongoDatabase>
}

/** @param wants  'log': change streams and transactions, which FerretDB has not */
export async function mongoServer(wants?: 'log'): Promise<TestMongo> {
  const real = process.env['MILLRACE_MONGODB_URL']
  if (real) return realServer(real)
  return wants === undefined && existsSync(FERRETDB) ? ferretdb() : double()
}

/** Every implementation that is here: the double always, so that it is held to what the others do. */
export async function everyMongo(): Promise<TestMongo[]> {
  const found = await mongoServer()
  return found.name === 'the double' ? [found] : [found, await double()]
}

let databases = 0

function testMongo(
  facts: Pick<TestMongo, 'name' | 'url' | 'kill' | 'startAgain'> & { readonly end: () => Promise<void> },
): TestMongo {
  const { name, url, kill, startAgain, end } = facts
  const { hostname, port } = new URL(url)
  const opened: MongoDatabase[] = []
  after(async () => {
    await Promise.all(
      opened.map(async database => {
        if (name === 'MongoDB') await database.driver.dropDatabase().catch(() => {})
        await database.close(0)
      }),
    )
    await end()
  })
  return {
    name,
    host: hostname,
    port: Number(port || 27017),
    url,
    kill,
    startAgain,
    open: async options => {
      const database = await connect({ url, database: `millrace_${process.pid}_${++databases}`, ...options })
      opened.push(database)
      return database
    },
  }
}

function realServer(url: string): TestMongo {
  const notOurs = () => Promise.reject(new Error('a real server is not ours to kill'))
  return testMongo({ name: 'MongoDB', url, kill: notOurs, startAgain: notOurs, end: () => Promise.resolve() })
}

async function double(): Promise<TestMongo> {
  const server = new MongoDouble()
  const url = await server.start()
  let isUp = true
  return testMongo({
    name: 'the double',
    url,
    kill: async () => {
      isUp = false
      await server.kill()
    },
    startAgain: async () => {
      await server.start()
      isUp = true
    },
    end: async () => {
      if (isUp) await server.kill()
    },
  })
}

async function ferretdb(): Promise<TestMongo> {
  const folder = await temporaryFolder()
  let child: ChildProcess
  const start = async (address: string): Promise<string> => {
    child = spawn(FERRETDB, [address, folder], { stdio: ['pipe', 'pipe', 'inherit'] })
    const [line] = (await once(child.stdout!, 'data')) as [Buffer]
    return line.toString().trim()
  }
  const url = await start('127.0.0.1:0')
  const kill = async () => {
    // 'close': its pipes too, or Node may not end (26: a handle that is left over keeps the process turning on its way out).
    const closed = child.exitCode === null && child.signalCode === null ? once(child, 'close') : undefined
    child.stdin!.destroy()
    child.kill('SIGKILL')
    child.stdout!.resume()
    await closed
  }
  return testMongo({
    name: 'FerretDB',
    url,
    kill,
    startAgain: async () => void (await start(new URL(url).host)),
    end: kill,
  })
}
