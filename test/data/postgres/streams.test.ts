// A stream that lasts holds no connection: what its handler took of the database is given back before the head.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import * as z from 'zod'
import { App, dependency, events } from 'millrace'
import { testClient } from 'millrace/testing'
import { testServer } from '../support/server.ts'

const CLIENTS = 100
const CONNECTIONS = 5

describe('a hundred clients of a stream of events', async () => {
  const server = await testServer()

  test('hold no connection of the pool while they are streaming, though each began in a transaction', async () => {
    const database = await server.open({ maxConnections: CONNECTIONS, maxWaiting: CLIENTS })
    await database.script('create table stock (n int); insert into stock values (7)')
    const more = Promise.withResolvers<void>()
    const db = dependency({ scope: 'worker' }, () => database)
    const transaction = dependency({ scope: 'call', uses: { db } }, async function* ({ db }) {
      const tx = await db.begin()
      try {
        yield tx
        await tx.commit()
      } finally {
        await tx.close()
      }
    })
    const app = new App()
    app.get('/stock', { uses: { tx: transaction }, returns: events(z.int()) }, async function* ({ tx }) {
      const { n } = await tx.sql<{ n: number }>`select n from stock`.one()
      yield n
      await more.promise
      yield n + 1
    })
    const api = testClient(app)
    after(() => api.close())

    const readers = await Promise.all(
      Array.from({ length: CLIENTS }, async () => {
        const answer = await api.fetch('/stock')
        const reader = answer.body!.getReader()
        assert.equal(Buffer.from((await reader.read()).value!).toString(), 'data: 7\n\n')
        return reader
      }),
    )
    const { open, idle, waiting } = database.pool
    assert.ok(open <= CONNECTIONS)
    assert.deepEqual({ lent: open - idle, waiting }, { lent: 0, waiting: 0 })
    const busy = await database.sql<{ state: string }>`
      select state from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'`
    assert.deepEqual(busy, [])

    more.resolve()
    for (const reader of readers) {
      assert.equal(Buffer.from((await reader.read()).value!).toString(), 'data: 8\n\n')
      await reader.cancel()
    }
  })
})
