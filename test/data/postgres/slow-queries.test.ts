import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { readMetrics } from '../../../src/core/metrics.ts'
import { SlowQueries } from '../../../src/data/postgres/slow-queries.ts'
import { connect, type Database } from '../../../src/data/postgres/index.ts'
import { App, dependency } from '../../../src/index.ts'
import { testClient } from '../../../src/testing/index.ts'
import { eventually, testServer } from '../support/server.ts'

const { server, open } = await testServer()

interface Line {
  readonly fields: { route?: string; statement: string; waitedMs: number; ranMs: number; leftOut?: number }
  readonly message: unknown
}

function logOf(lines: Line[]) {
  return { warn: (...of: unknown[]) => void lines.push({ fields: of[0] as Line['fields'], message: of[1] }) }
}

describe('a slow statement', async () => {
  const lines: Line[] = []
  // Longer than a busy machine takes for a statement that does nothing.
  const database = await open({ slowQuery: '400ms', maxConnections: 1, log: logOf(lines) })
  const db = dependency({ scope: 'worker' }, () => database)
  const store = dependency({ scope: 'worker', uses: { db } }, ({ db }) => ({
    find: (secret: string, signal: AbortSignal) => db.sql`select pg_sleep(0.5), ${secret}::text as s`.signal(signal),
  }))
  const user = dependency({ uses: { db } }, async ({ db }) => db.sql`select pg_sleep(0.5) as guard`.one())
  const app = new App()
  app.get('/items/{id}', { uses: { db } }, async ({ db, params }) => {
    await db.sql`
      select pg_sleep(0.5),
        ${`secret ${params.id}`}::text as s`
    await db.sql`select 1`
    return {}
  })
  app.get('/in-transaction', { uses: { db } }, async ({ db }) =>
    db.transaction(async tx => void (await tx.sql`select pg_sleep(0.5) as inside`)),
  )
  app.get('/guarded', { uses: { user } }, () => ({}))
  app.get('/stored', { uses: { store } }, async ({ store, signal }) => void (await store.find('secret', signal)))
  const api = testClient(app)
  after(() => api.close())

  async function linesOf(path: `/${string}`): Promise<Line[]> {
    lines.length = 0
    assert.ok((await api.fetch(path)).ok)
    return [...lines]
  }

  test('is logged with its route, its text in one line and the times, and not with its values', async () => {
    const [line, ...more] = await linesOf('/items/7')
    assert.deepEqual(more, [])
    assert.equal(line!.message, 'slow query')
    assert.equal(line!.fields.route, '/items/{id}')
    assert.equal(line!.fields.statement, 'select pg_sleep(0.5), $1::text as s')
    assert.ok(line!.fields.ranMs >= 500 && line!.fields.waitedMs < line!.fields.ranMs)
    assert.doesNotMatch(JSON.stringify(line), /secret/)
  })

  test("has its route in a transaction, in a dependency, and by the signal where only a worker's value is used", async () => {
    for (const [path, part] of [
      ['/in-transaction', 'inside'],
      ['/guarded', 'guard'],
      ['/stored', '$1::text'],
    ] as const) {
      const [line] = await linesOf(path)
      assert.equal(line!.fields.route, path)
      assert.ok(line!.fields.statement.includes(part))
    }
  })

  test('that mostly waited for a connection says so', async () => {
    const tx = await database.begin()
    const waiting = database.sql`select 1 as waited`.one()
    await tx.sql`select pg_sleep(0.45)`
    await tx.close()
    await waiting
    const { fields } = lines.find(line => line.fields.statement.includes('waited'))!
    assert.ok(fields.waitedMs >= 400 && fields.waitedMs > fields.ranMs)
    assert.equal(fields.route, undefined)
  })
})

test('slowQuery: 0 logs none', async () => {
  const lines: Line[] = []
  const database = await open({ slowQuery: 0, log: logOf(lines) })
  await database.sql`select pg_sleep(0.05)`
  assert.deepEqual(lines, [])
})

test('a database that stands still does not fill the log: ten lines a second, and how many were left out', () => {
  const lines: Line[] = []
  const slow = new SlowQueries(100, logOf(lines))
  for (let count = 0; count < 25; count++) slow.note('select 1', '/', 0, 200)
  assert.equal(lines.length, 10)
  assert.equal(slow.count, 25)
})

describe('the metrics of a pool', () => {
  const value = (name: string, labels: Record<string, string>, suffix = ''): number | undefined =>
    readMetrics()
      .find(metric => metric.name === name)
      ?.samples.find(
        sample =>
          (sample.suffix ?? '') === suffix &&
          Object.entries(labels).every(([label, text]) => sample.labels?.[label] === text),
      )?.value

  test('say what is open, idle, lent and waited for, and for how long', async () => {
    const database: Database = await connect({
      url: `${server.url.replace('/app?', '/postgres?')}`,
      maxConnections: 1,
      maxWaiting: 1,
    })
    const labels = { database: `${server.address.socketDir}/postgres` }
    const of = (name: string, more = {}, suffix = '') =>
      value(`millrace_postgres_${name}`, { ...labels, ...more }, suffix)
    const tx = await database.begin()
    const waiting = database.sql`select 1`.one()
    await eventually(() => (database.pool.waiting === 1 ? true : undefined))
    await assert.rejects(database.sql`select 2`.one(), { code: 'POSTGRES_POOL_FULL' })
    assert.deepEqual(
      [
        of('connections', { state: 'lent' }),
        of('connections', { state: 'idle' }),
        of('connections_max'),
        of('waiting'),
      ],
      [1, 0, 1, 1],
    )
    assert.equal(of('refused_total'), 1)
    const before = of('wait_seconds', {}, '_count')!
    await tx.close()
    await waiting
    assert.equal(of('wait_seconds', {}, '_count'), before + 1)
    assert.equal(of('wait_seconds', { le: '+Inf' }, '_bucket'), before + 1)
    assert.ok(of('wait_seconds', {}, '_sum')! > 0)
    assert.deepEqual([of('connections', { state: 'lent' }), of('waiting')], [0, 0])
    await database.close()
    assert.equal(of('connections_max'), undefined)
  })
})

test('a worker that waits for its turn by an advisory lock is not told; a request that does is', () => {
  const lines: Line[] = []
  const slow = new SlowQueries(100, logOf(lines))
  slow.note('select pg_advisory_xact_lock($1)', '', 0, 5_000)
  slow.note(' SELECT pg_advisory_lock (1, 2)', '', 0, 5_000)
  assert.deepEqual([lines, slow.count], [[], 0])
  slow.note('select pg_advisory_xact_lock($1)', '/orders', 0, 5_000)
  slow.note('select pg_try_advisory_lock(1)', '', 0, 5_000)
  slow.note('select 1, pg_advisory_lock(1)', '', 0, 5_000)
  assert.equal(lines.length, 3)
})
