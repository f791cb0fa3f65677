// A MongoDB that goes away: killed, cut off, silent, late at the start. The app answers 503 with Retry-After and goes on by itself.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { after, describe, test } from 'node:test'
import * as z from 'zod'
import { App } from '../../../src/index.ts'
import { readMetrics } from '../../../src/core/metrics.ts'
import { connect, mongo, MongoUnavailableError } from '../../../src/data/mongo/index.ts'
import { testClient } from '../../../src/testing/index.ts'
import { FaultProxy } from '../support/fault-proxy.ts'
import { mongoServer } from '../support/mongo-server.ts'
import { eventually } from '../support/server.ts'

const server = await mongoServer()
const Note = z.object({ text: z.string() })

describe(`MongoDB away, on ${server.name}`, () => {
  test(
    'killed under load: 503 with Retry-After that tells nothing, and recovery without a restart',
    {
      skip: server.name === 'MongoDB' && 'a real server is not ours to kill',
    },
    async () => {
      const db = mongo({ url: server.url, database: 'killed', selectionTimeout: 1_500 })
      const app = new App({ title: 'Notes' })
      app.get('/notes', { uses: { db }, returns: z.array(Note) }, ({ db, signal }) =>
        db.collection('notes', Note).find({}, { signal }),
      )
      app.post('/notes', { uses: { db }, body: Note, returns: { 201: Note } }, async ({ db, body, reply }) => {
        await db.collection('notes', Note).insert(body)
        return reply(201, body)
      })
      app.get('/hello', () => ({ hello: 'world' }))
      const api = testClient(app)
      after(() => api.close())
      const add = { method: 'POST', body: '{"text":"kept"}', headers: { 'content-type': 'application/json' } }
      assert.equal((await api.fetch('/notes', add)).status, 201)

      await server.kill()
      const refused = await Promise.all(Array.from({ length: 50 }, () => api.fetch('/notes')))
      for (const response of refused) {
        assert.equal(response.status, 503)
        assert.match(response.headers.get('retry-after')!, /^[1-9]\d*$/)
        assert.doesNotMatch(await response.text(), /127\.0\.0\.1|Mongo/i)
      }
      // After the first ones have waited, further ones are told at once.
      const startedMs = performance.now()
      assert.equal((await api.fetch('/notes', add)).status, 503)
      assert.ok(performance.now() - startedMs < 1_200)
      // What needs no database is as before.
      assert.equal((await api.fetch('/hello')).status, 200)

      await server.startAgain()
      const recovered = await eventually(async () => {
        const response = await api.fetch('/notes')
        return response.status === 200 ? response : undefined
      })
      assert.deepEqual(await recovered.json(), [{ text: 'kept' }])
      assert.equal((await api.fetch('/notes', add)).status, 201)
    },
  )

  test('connections that are reset are replaced, and reads are tried again unnoticed', async () => {
    const proxy = await FaultProxy.start({ host: server.host, port: server.port })
    const db = await server.open({ url: through(proxy), selectionTimeout: 2000 })
    const notes = db.collection('notes', Note)
    await notes.insert({ text: 'one' })
    proxy.resetOpen()
    assert.equal((await notes.find({})).length, 1)
    await db.close()
    await proxy.close()
  })

  test('an operation whose client has left ends at once, though the server is silent, and others are not disturbed', async () => {
    const proxy = await FaultProxy.start({ host: server.host, port: server.port })
    const db = await server.open({ url: through(proxy), maxConnections: 4 })
    const notes = db.collection('notes', Note)
    await notes.insert({ text: 'one' })
    proxy.hold()
    const staying = notes.find({})
    for (const operation of [
      (signal: AbortSignal) => notes.find({}, { signal }),
      (signal: AbortSignal) => notes.findOne({ text: 'one' }, { signal }),
      (signal: AbortSignal) => notes.count({}, { signal }),
      (signal: AbortSignal) => notes.insert({ text: 'two' }, { signal }),
      (signal: AbortSignal) => notes.updateOne({}, { set: { text: 'two' } }, { signal }),
      (signal: AbortSignal) => notes.deleteOne({ text: 'none' }, { signal }),
    ]) {
      const left = new AbortController()
      const reason = new Error('the client has left')
      const ending = operation(left.signal)
      setImmediate(() => left.abort(reason))
      await assert.rejects(ending, error => error === reason)
    }
    assert.equal(db.running, 1)
    proxy.heal()
    assert.ok((await staying).length >= 1)
    await db.close()
    await proxy.close()
  })

  test('who finds all connections busy and the line full is told so', async () => {
    const proxy = await FaultProxy.start({ host: server.host, port: server.port })
    const db = await server.open({
      url: through(proxy),
      maxConnections: 1,
      maxWaiting: 1,
      acquireTimeout: 200,
    })
    const notes = db.collection('notes', Note)
    await notes.count({})
    proxy.hold()
    const running = notes.count({})
    const waiting = assert.rejects(notes.count({}), { code: 'MONGO_POOL_WAIT', status: 503 })
    await assert.rejects(notes.count({}), { code: 'MONGO_POOL_FULL', status: 503 })
    await waiting
    proxy.heal()
    assert.equal(await running, 0)
    await db.close()
    await proxy.close()
  })

  test('closing waits for what runs, and cuts off what runs too long', async () => {
    const proxy = await FaultProxy.start({ host: server.host, port: server.port })
    const patient = await server.open({ url: through(proxy) })
    const hasty = await server.open({ url: through(proxy) })
    await Promise.all([patient.collection('notes', Note).count({}), hasty.collection('notes', Note).count({})])
    proxy.hold()
    const answered = patient.collection('notes', Note).count({})
    const cutOff = assert.rejects(hasty.collection('notes', Note).count({}), MongoUnavailableError)
    const closed = patient.close(60_000)
    await hasty.close(20)
    await cutOff
    proxy.heal()
    assert.equal(await answered, 0)
    await closed
    await assert.rejects(patient.ping(), { code: 'MONGO_UNAVAILABLE' })
    await proxy.close()
  })
})

test(
  'a MongoDB that goes away is told once in the log and counted, and so is that it is back',
  {
    skip: server.name === 'MongoDB' && 'a real server is not ours to kill',
  },
  async () => {
    const said: string[] = []
    const log = {
      warn: (message: string) => void said.push(`warn ${message}`),
      info: (message: string) => void said.push(`info ${message}`),
    }
    const db = await server.open({ selectionTimeout: 300, log })
    const notes = db.collection('notes', Note)
    await notes.count({})
    await server.kill()
    for (let n = 0; n < 5; n++) await assert.rejects(notes.insert({ text: 'lost' }), { code: 'MONGO_UNAVAILABLE' })
    const { away, losses, isReachable } = await eventually(() => (db.stats.losses > 0 ? db.stats : undefined))
    assert.deepEqual([away >= 5, losses, isReachable], [true, 1, false])
    await server.startAgain()
    await eventually(() =>
      notes
        .count({})
        .catch(() => undefined)
        .then(count => (count === undefined ? undefined : [count])),
    )
    assert.equal(db.stats.isReachable, true)
    assert.deepEqual(
      said.map(message => message.replace(/ at \S+?[ :].*/, '')),
      ['warn MongoDB', 'info MongoDB'],
    )
    assert.match(said[0]!, /^warn MongoDB at 127\.0\.0\.1:\d+\/\w+: .*; trying again$/)
    assert.match(said[1]!, /^info MongoDB at 127\.0\.0\.1:\d+\/\w+ is back$/)
  },
)

test('as a dependency it is in the metrics for as long as it is open', async () => {
  const db = mongo({ url: server.url, database: 'measured' })
  const app = new App({ title: 'Notes' })
  app.get('/notes', { uses: { db }, returns: z.int() }, ({ db, signal }) =>
    db.collection('notes', Note).count({}, { signal }),
  )
  const api = testClient(app)
  const told = () => readMetrics().find(({ name }) => name === 'millrace_mongo_reachable')?.samples
  assert.equal((await api.fetch('/notes')).status, 200)
  assert.deepEqual(told(), [{ value: 1 }])
  await api.close()
  assert.equal(told(), undefined)
})

describe('the start', () => {
  test('waits for a server that is away, with a warning that names it and no password', async () => {
    const port = await closedPort()
    const url = `mongodb://me:pa55word@127.0.0.1:${port}/shop`
    const warnings: string[] = []
    const stopped = new AbortController()
    const log = { warn: (message: string) => (warnings.push(message), stopped.abort(new Error('stopped'))) }
    await assert.rejects(connect({ url, log, signal: stopped.signal, selectionTimeout: 50 }), /stopped/)
    assert.match(warnings[0]!, new RegExp(`^MongoDB at 127.0.0.1:${port}/shop: .*ECONNREFUSED.*; retrying in 0.25 s$`))
    assert.doesNotMatch(warnings.join(), /pa55word/)
    await assert.rejects(connect({ url, startTimeout: 0, selectionTimeout: 50 }), MongoUnavailableError)
  })

  test('refuses a URL that is missing or cannot be read, without quoting it', async () => {
    const before = process.env['MONGODB_URL']
    delete process.env['MONGODB_URL']
    try {
      await assert.rejects(connect(), { code: 'MONGO_NO_URL' })
      for (const url of [
        'postgresql://me:pa55word@h/x',
        'mongodb://me:pa55word@',
        'mongodb://h/?nonsense=pa55word',
        '',
      ])
        await assert.rejects(connect({ url }), (error: Error & { code: string }) => {
          assert.match(error.code, /^MONGO_(BAD|NO)_URL$/)
          assert.doesNotMatch(error.message, /pa55word/)
          assert.equal(error.cause, undefined)
          return true
        })
    } finally {
      if (before !== undefined) process.env['MONGODB_URL'] = before
    }
  })
})

function through(proxy: FaultProxy): string {
  const url = new URL(server.url)
  url.host = `127.0.0.1:${proxy.port}`
  url.searchParams.set('directConnection', 'true')
  return url.href
}

async function closedPort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  await once(probe, 'close')
  return port
}
