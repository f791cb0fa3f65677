// What the URL says and what the options say: the options first, then the URL, then our defaults.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import * as z from 'zod'
import { connect, type MongoConnectOptions } from '../../../src/data/mongo/index.ts'
import { MongoDouble } from '../support/mongo-double.ts'

const double = new MongoDouble()
const url = await double.start()
after(() => double.kill())

async function opened(behind: string, options: MongoConnectOptions = {}) {
  const db = await connect({ url: url + behind, ...options })
  const { maxPoolSize, minPoolSize, serverSelectionTimeoutMS, waitQueueTimeoutMS, appName } = db.client.options
  const { databaseName } = db.driver
  await db.close()
  return { maxPoolSize, minPoolSize, serverSelectionTimeoutMS, waitQueueTimeoutMS, appName, databaseName }
}

const OURS = {
  maxPoolSize: 10,
  minPoolSize: 1,
  serverSelectionTimeoutMS: 5000,
  waitQueueTimeoutMS: 5000,
  appName: 'millrace',
}

test('a URL that says nothing gets our defaults', async () => {
  assert.deepEqual(await opened(''), { ...OURS, databaseName: 'app' })
})

test("the driver's options in the URL count where the call gives none", async () => {
  const behind = 'shop?maxPoolSize=3&SERVERSELECTIONTIMEOUTMS=700&appName=mine'
  const said = { ...OURS, maxPoolSize: 3, serverSelectionTimeoutMS: 700, appName: 'mine', databaseName: 'shop' }
  assert.deepEqual(await opened(behind), said)
  assert.deepEqual(await opened(behind, { maxConnections: 5, database: 'other', acquireTimeout: '1s' }), {
    ...said,
    maxPoolSize: 5,
    waitQueueTimeoutMS: 1000,
    databaseName: 'other',
  })
})

test('a database that is called test is the one that is meant', async () => {
  assert.equal((await opened('test')).databaseName, 'test')
  assert.equal((await opened('?appName=mine')).databaseName, 'app')
})

test('as many operations as the URL has connections run, and ten times as many wait', async () => {
  const db = await connect({ url: `${url}?maxPoolSize=1` })
  const asked = await Promise.allSettled(Array.from({ length: 12 }, () => db.ping()))
  assert.deepEqual(
    asked.map(({ status }) => status),
    [...Array<string>(11).fill('fulfilled'), 'rejected'],
  )
  await db.close()
})

test('a schema that is made anew for each request is not kept', async () => {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  const db = await connect({ url })
  const made: WeakRef<object>[] = []
  const insert = async () => {
    const Note = z.object({ text: z.string() })
    made.push(new WeakRef(Note))
    await db.collection('notes', Note).insert({ text: 'hello' })
  }
  for (let n = 0; n < 20; n++) await insert()
  for (let rounds = 0; rounds < 5; rounds++) {
    await turn()
    collectGarbage()
  }
  // The last one or two may still stand in a frame.
  assert.ok(made.filter(schema => schema.deref() !== undefined).length <= 3)
  await db.close()
})
