// The server is told how long it may take: what is left of the request's time, at most operationTimeout.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { MongoServerError } from 'mongodb'
import * as z from 'zod'
import { App, dependency, jsonLines } from '../../../src/index.ts'
import { MongoTimeoutError } from '../../../src/data/mongo/index.ts'
import { mapError } from '../../../src/data/mongo/errors.ts'
import { testClient } from '../../../src/testing/index.ts'
import { mongoServer } from '../support/mongo-server.ts'
import { Operations } from '../../../src/data/mongo/operations.ts'
import { LostWrites } from '../../../src/data/mongo/lost-writes.ts'

const server = await mongoServer()
const Note = z.object({ text: z.string() })

describe(`time, on ${server.name}`, async () => {
  const opened = await server.open({ operationTimeout: '10s' })

  test("what is left of the request's time goes along with every operation", async () => {
    const db = dependency({ scope: 'worker' }, () => opened)
    const given: unknown[] = []
    const app = new App({ title: 'Notes' })
    app.get('/notes', { uses: { db }, timeout: '2s', returns: z.int() }, async ({ db, signal }) => {
      const notes = db.collection('notes', Note)
      // As the driver gets it: the options that it was called with are on the wire.
      const found = notes.driver.find.bind(notes.driver)
      notes.driver.find = ((filter: object, options: { maxTimeMS?: number }) => {
        given.push(options.maxTimeMS)
        return found(filter, options)
      }) as typeof notes.driver.find
      await notes.find({}, { signal })
      await notes.find({})
      return notes.count({}, { signal })
    })
    const api = testClient(app)
    after(() => api.close())
    assert.equal((await api.fetch('/notes')).status, 200)
    const [limited, unlimited] = given as [number, number]
    assert.ok(limited > 0 && limited <= 2000, String(limited))
    assert.equal(unlimited, 10_000)
  })

  test('what is read while an answer streams is not bounded by the time to its head', async () => {
    const db = dependency({ scope: 'worker' }, () => opened)
    const given: unknown[] = []
    const app = new App({ title: 'Notes' })
    app.get('/notes', { uses: { db }, timeout: '2s', returns: jsonLines(Note) }, ({ db, signal }) => {
      const notes = db.collection('streamed', Note)
      const found = notes.driver.find.bind(notes.driver)
      notes.driver.find = ((filter: object, options: { maxTimeMS?: number }) => {
        given.push(options.maxTimeMS)
        return found(filter, options)
      }) as typeof notes.driver.find
      return notes.each({}, { signal })
    })
    await opened.collection('streamed', Note).insertMany([{ text: 'a' }, { text: 'b' }])
    const api = testClient(app)
    after(() => api.close())
    assert.equal(await (await api.fetch('/notes')).text(), '{"text":"a"}\n{"text":"b"}\n')
    assert.deepEqual(given, [10_000])
  })

  test('time that is up on the server is a 504', () => {
    const error = mapError(new MongoServerError({ code: 50, errmsg: 'operation exceeded time limit' }), 'here')
    assert.ok(error instanceof MongoTimeoutError)
    assert.equal(error.status, 504)
  })

  test('operationTimeout 0 sets none', async () => {
    const options = { where: 'here', maxConnections: 1, maxWaiting: 1, operationTimeoutMs: 0 }
    const operations = new Operations(options, new LostWrites(opened.client, () => false))
    assert.deepEqual(await operations.given(undefined, undefined), {})
  })
})
