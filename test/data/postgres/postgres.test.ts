import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import * as z from 'zod'
import { App, dependency, fail } from '../../../src/index.ts'
import { declaredServices, LocalHost, provideHost } from '../../../src/core/host.ts'
import { postgres, UniqueViolation } from '../../../src/data/postgres/index.ts'
import { testClient } from '../../../src/testing/index.ts'
import { eventually, testServer } from '../support/server.ts'

const { server, dataDir, open } = await testServer()
const watcher = await open({ maxConnections: 1 })
await watcher.script('create table note (id int primary key, text text not null)')

const db = postgres({ url: server.url, acquireTimeout: '1s' })

const transaction = dependency({ scope: 'call', uses: { db } }, async function* ({ db, signal }) {
  const tx = await db.begin({ signal })
  try {
    yield tx
    await tx.commit()
  } finally {
    await tx.close()
  }
})

const app = new App({ title: 'Notes' })
const Note = z.object({ id: z.int(), text: z.string() })

const createNote = app.post(
  '/notes',
  { body: Note, returns: { 201: Note }, uses: { tx: transaction } },
  async ({ body, tx, reply }) => {
    try {
      await tx.sql`insert into note values (${body.id}, ${body.text})`
    } catch (error) {
      if (error instanceof UniqueViolation) fail(409, 'There is such a note already')
      throw error
    }
    if (body.text === 'forbidden') fail(422, 'Not this one')
    return reply(201, body)
  },
)
app.get('/notes', { uses: { db } }, ({ db }) => db.sql`select * from note order by id`)
app.get('/slow', { uses: { db } }, async ({ db, signal }) => {
  await db.sql`select pg_sleep(60), 'mark-slow'`.signal(signal)
  return {}
})

const api = testClient(app)
after(() => api.close())

test('a transaction commits after the handler, and rolls back when it fails', async () => {
  assert.equal((await api.call(createNote, { body: { id: 1, text: 'kept' } })).status, 201)
  assert.equal((await api.fetch('/notes', post({ id: 2, text: 'forbidden' }))).status, 422)
  assert.equal((await api.fetch('/notes', post({ id: 1, text: 'again' }))).status, 409)
  assert.deepEqual(await (await api.fetch('/notes')).json(), [{ id: 1, text: 'kept' }])
})

test('a client that leaves ends its statement on the server', async () => {
  const count = async () =>
    await watcher.sql`select 1 from pg_stat_activity where query like '%mark-slow%' and pid <> pg_backend_pid()
      and state = 'active'`.count()
  const left = new AbortController()
  const response = api.fetch('/slow', { signal: left.signal })
  await eventually(async () => ((await count()) === 1 ? true : undefined))
  left.abort()
  await assert.rejects(response)
  await eventually(async () => ((await count()) === 0 ? true : undefined))
})

test('a database that is down is a 503 with Retry-After that tells clients nothing about it', async () => {
  await server.stop()
  const response = await eventually(async () => {
    const answer = await api.fetch('/notes')
    return answer.status === 503 ? answer : undefined
  })
  assert.match(response.headers.get('retry-after')!, /^\d+$/)
  assert.doesNotMatch(await response.text(), /socket|PostgreSQL|tmp/)
})

test('without a URL an embedded server is declared, and the worker uses the one that its host started', async () => {
  const before = process.env['DATABASE_URL']
  delete process.env['DATABASE_URL']
  const host = new LocalHost()
  const outer = provideHost(host)
  try {
    const declaredBefore = declaredServices().length
    const embedded = postgres({ embedded: { dataDir, database: 'own' } })
    const second = postgres({ embedded: { dataDir, database: 'other' } })
    assert.deepEqual(
      declaredServices()
        .slice(declaredBefore)
        .map(({ name, key, options }) => ({ name, key, options })),
      [{ name: 'embedded-postgres', key: dataDir, options: { dataDir, database: 'own' } }],
    )
    const names = new App().get('/', { uses: { embedded, second } }, async ({ embedded, second }) => [
      await embedded.sql`select current_database() as name`.one(),
      await second.sql`select current_database() as name`.one(),
    ])
    const client = testClient(names)
    assert.deepEqual((await client()).body, [{ name: 'own' }, { name: 'other' }])
    await client.close()
  } finally {
    provideHost(outer)
    assert.deepEqual(await host.drain(5000), [])
    if (before !== undefined) process.env['DATABASE_URL'] = before
  }
})

test('with a URL nothing is declared', () => {
  const declaredBefore = declaredServices().length
  postgres({ url: server.url })
  postgres({ embedded: false })
  assert.equal(declaredServices().length, declaredBefore)
})

function post(body: object): RequestInit {
  return { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
}
