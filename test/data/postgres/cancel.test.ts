import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { FaultProxy } from '../support/fault-proxy.ts'
import { eventually, testServer } from '../support/server.ts'

const { open, server } = await testServer()
const db = await open({ maxConnections: 3 })
const watcher = await open({ maxConnections: 1, applicationName: 'watcher' })

/** How many statements with this mark the server runs right now. */
const running = async (mark: string) => {
  const text = `%${mark}%`
  const rows = await watcher.sql`select 1 from pg_stat_activity
    where state = 'active' and query like ${text} and pid <> pg_backend_pid()`
  return rows.length
}
const whenRunning = (mark: string) => eventually(async () => ((await running(mark)) > 0 ? true : undefined))
const whenStopped = (mark: string) => eventually(async () => ((await running(mark)) === 0 ? true : undefined), 5000)
const whenAllBack = (database = db) =>
  eventually(() => (database.pool.idle === database.pool.open ? true : undefined), 5000)

describe('a signal', () => {
  test('ends the statement on the server, and the promise rejects with its reason', async () => {
    const gone = new AbortController()
    const reason = new Error('client left')
    const query = db.sql`select pg_sleep(60), 'mark-a'`.signal(gone.signal).one()
    await whenRunning('mark-a')
    gone.abort(reason)
    await assert.rejects(query, error => error === reason)
    await whenStopped('mark-a')
    await whenAllBack()
  })

  test('given to db.query does the same', async () => {
    const gone = new AbortController()
    const query = db.query(`select pg_sleep($1), 'mark-b'`, [60], { signal: gone.signal }).one()
    await whenRunning('mark-b')
    gone.abort()
    await assert.rejects(query, { name: 'AbortError' })
    await whenStopped('mark-b')
  })

  test('that aborted earlier sends nothing', async () => {
    await assert.rejects(db.sql`select 1`.signal(AbortSignal.abort(new Error('early'))).one(), /early/)
  })

  test('takes a caller out of the line for a connection', async () => {
    const one = await open({ maxConnections: 1 })
    const tx = await one.begin()
    const gone = new AbortController()
    const waiting = one.sql`select 1`.signal(gone.signal).one()
    assert.equal(one.pool.waiting, 1)
    gone.abort()
    await assert.rejects(waiting, { name: 'AbortError' })
    assert.equal(one.pool.waiting, 0)
    await tx.close()
  })

  test('given to a transaction ends its statement, and nothing it did stays', async () => {
    await db.script('create table cancelled (id int)')
    const gone = new AbortController()
    const work = db.transaction(
      async tx => {
        await tx.sql`insert into cancelled values (1)`
        await tx.sql`select pg_sleep(60), 'mark-c'`
      },
      { signal: gone.signal },
    )
    await whenRunning('mark-c')
    gone.abort(new Error('gone'))
    await assert.rejects(work, /gone/)
    await whenAllBack()
    assert.deepEqual(await db.sql`select * from cancelled`, [])
  })

  test('that aborts between two statements of a transaction lets nothing be committed', async () => {
    const gone = new AbortController()
    const work = db.transaction(
      async tx => {
        await tx.sql`insert into cancelled values (2)`
        gone.abort(new Error('gone'))
      },
      { signal: gone.signal },
    )
    await assert.rejects(work, /gone/)
    assert.deepEqual(await db.sql`select * from cancelled`, [])
  })
})

test('a cancel that overtakes its statement is sent again', async () => {
  const { socketDir, port } = server.address
  const proxy = await FaultProxy.start({ path: `${socketDir}/.s.PGSQL.${port}` })
  after(() => proxy.close())
  const slow = await open({
    url: `postgresql://postgres@127.0.0.1:${proxy.port}/app?sslmode=disable`,
    maxConnections: 1,
  })
  const gone = new AbortController()
  proxy.slow({ latencyMs: 1000 })
  const query = slow.sql`select pg_sleep(60), 'mark-d'`.signal(gone.signal).one()
  // By then the proxy has it, and keeps it for a while.
  await new Promise(resolve => setTimeout(resolve, 100))
  proxy.slow({})
  gone.abort(new Error('client left'))
  await assert.rejects(query, /client left/)
  await whenAllBack(slow)
  assert.equal(await running('mark-d'), 0)
  assert.equal(slow.pool.open, 1, 'its connection was ended instead')
})

// The dangerous case: a cancel that arrives after its statement has ended would hit whoever uses the connection next.
test('a late cancel never hits the next statement on the same connection', async () => {
  const one = await open({ maxConnections: 1 })
  let aborted = 0
  for (let round = 0; round < 150; round++) {
    const gone = new AbortController()
    const first = one.sql`select pg_sleep(0.001)`.signal(gone.signal).one()
    const next = one.sql`select pg_sleep(0.002), ${round}::int as n`.one()
    setTimeout(() => gone.abort(), round % 4)
    await first.catch(() => aborted++)
    assert.equal((await next)['n'], round)
  }
  assert.ok(aborted > 0, 'no round was aborted')
  await whenAllBack(one)
  assert.equal(one.pool.open, 1)
})

test('nor the next statement of its transaction, whether it finds its own still running or just ended', async () => {
  let aborted = 0
  for (let run = 0; run < 200; run++)
    await db.transaction(async tx => {
      const late = new AbortController()
      const own = new Error('its own signal')
      // About when the statement ends by itself.
      const timer = setTimeout(() => late.abort(own), 3 + (run % 10) / 5)
      const inner = tx.transaction(inner => inner.sql`select pg_sleep(0.003)`.signal(late.signal))
      await inner.catch((error: unknown) => {
        assert.equal(error, own)
        aborted++
      })
      clearTimeout(timer)
      await tx.sql`select count(*) from generate_series(1, 3000)`
    })
  assert.ok(aborted > 0)
})

test('after any mix of ends no connection is missing, and the server knows of no more than max', async () => {
  const mixed = await open({ maxConnections: 4, applicationName: 'mixed' })
  await Promise.allSettled(
    Array.from({ length: 80 }, async (_, n) => {
      const gone = new AbortController()
      const { signal } = gone
      if (n % 3 === 0) setTimeout(() => gone.abort(), n % 7)
      if (n % 4 === 0) return mixed.sql`select pg_sleep(0.003)`.signal(signal)
      if (n % 4 === 1) return mixed.transaction(tx => tx.sql`select pg_sleep(0.002)`, { signal })
      if (n % 4 === 2) return mixed.sql`select 1/0`.signal(signal)
      return mixed.transaction(async tx => {
        await tx.sql`select 1`
        throw new Error('no')
      })
    }),
  )
  await whenAllBack(mixed)
  const { pool } = mixed
  assert.equal(pool.waiting, 0)
  assert.ok(pool.open >= 1 && pool.open <= 4)
  const { n, busy } = await watcher.sql<{ n: number; busy: number }>`
    select count(*)::int as n, (count(*) filter (where state <> 'idle'))::int as busy
    from pg_stat_activity where application_name = 'mixed'`.one()
  assert.ok(n <= 4)
  assert.equal(busy, 0)
  await mixed.close()
  await eventually(async () => {
    const left = await watcher.sql`select 1 from pg_stat_activity where application_name = 'mixed'`
    return left.length === 0 ? true : undefined
  })
})
