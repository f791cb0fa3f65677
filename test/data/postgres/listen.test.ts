import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import * as z from 'zod'
import { App, dependency, events } from 'millrace'
import { testClient } from 'millrace/testing'
import type { Notification, Subscription } from '../../../src/data/postgres/index.ts'
import { Connection } from '../../../src/data/postgres/connection.ts'
import { Listener } from '../../../src/data/postgres/listener.ts'
import { FaultProxy } from '../support/fault-proxy.ts'
import { eventually, testServer } from '../support/server.ts'

const { open, server } = await testServer()
const db = await open({ maxConnections: 2, applicationName: 'listener' })
const watcher = await open({ maxConnections: 1, applicationName: 'watcher' })

const payloads = async (subscription: Subscription, count: number) => {
  const found: string[] = []
  while (found.length < count) {
    const { value } = await subscription.next()
    found.push(value!.type === 'lost' ? 'LOST' : value!.payload)
  }
  return found
}
/** The server's processes that have listened. */
const listening = async () =>
  watcher.sql<{ pid: number }>`select pid from pg_stat_activity
    where application_name = 'listener' and (query ilike 'listen%' or query ilike 'unlisten%')`
/** Nobody waits for the connection of readers that have left, so it may end a little later. */
const whenListening = (count: number) =>
  eventually(async () => {
    const found = await listening()
    return found.length === count ? found : undefined
  })

describe('db.listen', () => {
  test('gives what is notified, in order, also what came before anybody asked', async () => {
    const orders = db.listen('orders')
    await orders.ready
    await db.notify('orders', 'a')
    await watcher.notify('orders')
    await db.notify('other', 'x')
    await db.notify('orders', 'é')
    const seen: Notification[] = []
    for await (const note of orders) {
      assert.equal(note.type, 'notification')
      if (note.type === 'notification' && seen.push(note) === 3) break
    }
    assert.deepEqual(
      seen.map(({ channel, payload }) => [channel, payload]),
      [['orders', 'a'], ['orders', ''], ['orders', 'é']], // prettier-ignore
    )
    assert.ok(seen.every(({ processId }) => processId > 0))
    assert.equal((await orders.next()).done, true)
  })

  test('takes channels of any name, as they are', async () => {
    for (const name of ['Mixed Case', 'a"b;drop table x', 'é'.repeat(31), 'select']) {
      const subscription = db.listen(name)
      await subscription.ready
      await db.notify(name, name)
      assert.deepEqual(await payloads(subscription, 1), [name])
      await subscription.return()
    }
    for (const name of ['', 'a\0b', 'é'.repeat(32)]) {
      assert.throws(() => db.listen(name), { code: 'POSTGRES_BAD_IDENTIFIER' })
      await assert.rejects(db.notify(name), { code: 'POSTGRES_BAD_IDENTIFIER' })
    }
  })

  test('needs one connection for all channels and readers, none of the pool, and none when nobody listens', async () => {
    const subscriptions = ['a', 'b', 'a', 'c'].map(channel => db.listen(channel))
    await Promise.all(subscriptions.map(({ ready }) => ready))
    await whenListening(1)
    assert.equal(db.pool.idle, db.pool.open)
    await db.notify('a', '1')
    assert.deepEqual(await payloads(subscriptions[0]!, 1), ['1'])
    await subscriptions[0]!.return()
    await db.notify('a', '2')
    assert.deepEqual(await payloads(subscriptions[2]!, 2), ['1', '2'])
    for (const subscription of subscriptions) await subscription.return()
    await whenListening(0)
  })

  test('that is left and taken up at once hears what comes then', async () => {
    const kept = db.listen('kept')
    for (let round = 0; round < 20; round++) {
      const subscription = db.listen('again')
      await subscription.ready
      await db.notify('again', String(round))
      assert.deepEqual(await payloads(subscription, 1), [String(round)])
      await subscription.return()
    }
    await kept.return()
    for (let round = 0; round < 5; round++) {
      const subscription = db.listen('again')
      await subscription.ready
      await subscription.return()
    }
  })

  test('a notification of a transaction comes when it is committed, and only then', async () => {
    const orders = db.listen('orders')
    await orders.ready
    await db
      .transaction(async tx => {
        await tx.notify('orders', 'undone')
        throw new Error('no')
      })
      .catch(() => {})
    await db.transaction(tx => tx.notify('orders', 'done'))
    assert.deepEqual(await payloads(orders, 1), ['done'])
    await orders.return()
  })

  test('refuses payloads that PostgreSQL would refuse, and no others', async () => {
    const orders = db.listen('orders')
    await orders.ready
    await db.notify('orders', 'x'.repeat(7999))
    assert.equal((await payloads(orders, 1))[0]!.length, 7999)
    await assert.rejects(db.notify('orders', 'é'.repeat(4000)), { code: 'POSTGRES_PAYLOAD_TOO_LONG' })
    await orders.return()
  })

  test('an abort ends the loop with its reason, also while it waits', async () => {
    const gone = new AbortController()
    const orders = db.listen('orders', { signal: gone.signal })
    const step = orders.next()
    await orders.ready
    gone.abort(new Error('client left'))
    await assert.rejects(step, /client left/)
    assert.equal((await orders.next()).done, true)
    const late = db.listen('orders', { signal: gone.signal })
    await assert.rejects(late.next(), /client left/)
    await whenListening(0)
  })

  test('a reader that falls too far behind is told so, and goes on with the newest', async () => {
    const orders = db.listen('orders')
    const mark = db.listen('mark')
    await Promise.all([orders.ready, mark.ready])
    await watcher.sql`select pg_notify('orders', n::text) from generate_series(1, 10003) n`
    await watcher.notify('mark')
    await mark.next()
    assert.deepEqual(await payloads(orders, 4), ['LOST', '10001', '10002', '10003'])
    await Promise.all([orders.return(), mark.return()])
  })

  test('ends well when the database is closed', async () => {
    const own = await open({ applicationName: 'listener' })
    const orders = own.listen('orders')
    await orders.ready
    const step = orders.next()
    await own.close()
    assert.equal((await step).done, true)
    await assert.rejects(own.listen('orders').next(), { code: 'POSTGRES_UNAVAILABLE' })
    await whenListening(0)
  })
})

describe('a connection that listens', () => {
  test('is replaced when it is lost, and its readers are told that something may be missing', async () => {
    const orders = db.listen('orders')
    const stock = db.listen('stock')
    await Promise.all([orders.ready, stock.ready])
    const [{ pid } = { pid: 0 }] = await whenListening(1)
    await watcher.sql`select pg_terminate_backend(${pid}, 5000)`
    assert.deepEqual(await payloads(orders, 1), ['LOST'])
    assert.deepEqual(await payloads(stock, 1), ['LOST'])
    await db.notify('orders', 'heard')
    assert.deepEqual(await payloads(orders, 1), ['heard'])
    await Promise.all([orders.return(), stock.return()])
  })

  const { socketDir, port } = server.address
  /** Listens through a proxy. */
  const through = async (heartbeatMs: number) => {
    const proxy = await FaultProxy.start({ path: `${socketDir}/.s.PGSQL.${port}` })
    const config = {
      host: '127.0.0.1',
      port: proxy.port,
      user: 'postgres',
      database: 'app',
      connectionTimeoutMillis: 1000,
    }
    const warnings: string[] = []
    const listener = new Listener({
      open: () => Connection.open({ config, maxPrepared: 0, peerCheckMs: 0 }),
      log: { warn: message => void warnings.push(String(message)) },
      heartbeatMs,
    })
    after(async () => {
      await listener.close()
      await proxy.close()
    })
    return { proxy, listener, warnings }
  }

  test('is tried again until the database is there, at the start too', async () => {
    const { proxy, listener, warnings } = await through(60_000)
    proxy.cut()
    const orders = listener.listen('orders', {})
    await eventually(() => (warnings.length >= 2 ? true : undefined))
    proxy.heal()
    await orders.ready
    proxy.cut()
    await eventually(() => (warnings.some(warning => warning.includes('lost')) ? true : undefined))
    proxy.heal()
    assert.deepEqual(await payloads(orders, 1), ['LOST'])
    await db.notify('orders', 'heard')
    assert.deepEqual(await payloads(orders, 1), ['heard'])
  })

  test('that has gone silent is noticed by its heartbeat', async () => {
    const { proxy, listener } = await through(50)
    const orders = listener.listen('orders', {})
    await orders.ready
    proxy.hold()
    const { accepted } = proxy
    await eventually(() => (proxy.accepted > accepted + 1 ? true : undefined), 30_000)
    proxy.heal()
    assert.deepEqual(await payloads(orders, 1), ['LOST'])
  })
})

test('as a stream of events it ends with its client, and with the database', async () => {
  const own = await open({ applicationName: 'listener' })
  const app = new App()
  const database = dependency({ scope: 'worker' }, () => own)
  app.get('/orders', { uses: { db: database }, returns: events(z.string()) }, async function* ({ db, signal }) {
    for await (const note of db.listen('orders', { signal })) yield note.type === 'lost' ? 'again' : note.payload
  })
  const api = testClient(app)
  after(() => api.close())
  const [first, second] = await Promise.all([1, 2].map(async () => (await api.fetch('/orders')).body!.getReader()))
  await whenListening(1)
  await own.notify('orders', 'seven')
  const readers = [first!, second!]
  for (const reader of readers) assert.equal(Buffer.from((await reader.read()).value!).toString(), 'data: "seven"\n\n')
  await first!.cancel()
  await own.notify('orders', 'eight')
  assert.equal(Buffer.from((await second!.read()).value!).toString(), 'data: "eight"\n\n')
  await own.close()
  assert.equal((await second!.read()).done, true)
  await whenListening(0)
})
