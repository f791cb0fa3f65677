// Pools of the size that the plan says, on a real server: for this process as its host describes it.
import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { type Extent, EXTENT_CHANGED, host, LocalHost, provideHost } from '../../../src/core/host.ts'
import type { Database } from '../../../src/data/postgres/index.ts'
import { followPlan } from '../../../src/data/postgres/planned-pool.ts'
import { hostLimitOf, poolSpec } from '../../../src/data/postgres/pool-demand.ts'
import type { PostgresOptions } from '../../../src/data/postgres/options.ts'
import { postgres } from '../../../src/data/postgres/postgres.ts'
import { App } from '../../../src/index.ts'
import { serve } from '../../../src/server/index.ts'
import { testServer } from '../support/server.ts'

const { server, open } = await testServer()
// What an app declares by being loaded.
postgres({ url: server.url })

afterEach(() => void delete process.env['DATABASE_MAX_CONN'])

/** The pool of an app's only postgres(), in a process with this extent. */
async function planned(extent: Partial<Extent>, options: PostgresOptions = {}) {
  const local = new LocalHost()
  local.extent = { workers: 1, surge: 1, hosts: 1, ...extent }
  const before = provideHost(local)
  const warnings: string[] = []
  const database = await open(options)
  const end = await followPlan(
    database,
    { url: server.url, ...options },
    { warn: text => void warnings.push(String(text)) },
  )
  const grow = (workers: number): void => {
    local.extent = { ...local.extent, workers }
    const before = provideHost(local)
    local.publish(EXTENT_CHANGED, local.extent)
    provideHost(before)
  }
  provideHost(before)
  return { database, warnings, grow, end }
}

describe('a pool', () => {
  test('has its usual size where that fits, and what fits where it does not', async () => {
    const sizes: number[] = []
    for (const extent of [{}, { workers: 7 }, { workers: 8 }, { workers: 8, hosts: 4 }]) {
      const { database, warnings } = await planned(extent)
      sizes.push(database.pool.max)
      assert.deepEqual(warnings, [])
    }
    // 97 connections, one of them for migrations; each worker has one more to listen.
    assert.deepEqual(sizes, [10, 10, 9, 1])
  })

  test('that cannot fit has one connection, and one sentence says why and what would help', async () => {
    const { database, warnings } = await planned({ workers: 12, hosts: 4 })
    assert.equal(database.pool.max, 1)
    assert.equal(warnings.length, 1)
    assert.match(
      warnings[0]!,
      /^the connections to PostgreSQL at \S+ do not fit: this app may take \(12 workers \+ 1 while replacing\) x 4 hosts x \(1 pooled \+ 1 listening\) \+ 1 migrating = 105, and there are 97 \(max_connections 100 - 3 reserved\); set max_connections of the server to at least 108, or run at most 11 workers on each host \(--workers, --max-workers\), or run on at most 3 hosts \(--replicas\)$/,
    )
  })

  test('follows the number of workers, both ways, and closes what is too many', async () => {
    const { database, warnings, grow, end } = await planned({ workers: 2 })
    await database.warm(10)
    grow(30)
    assert.equal(database.pool.max, 2)
    assert.equal(database.pool.open, 2)
    grow(60)
    grow(60)
    assert.equal(database.pool.max, 1)
    assert.equal(warnings.length, 1)
    grow(2)
    assert.equal(database.pool.max, 10)
    end()
    grow(30)
    assert.equal(database.pool.max, 10)
  })

  test('whose size is given keeps it', async () => {
    const { database } = await planned({ workers: 8 }, { maxConnections: 20, maxWaiting: 7 })
    assert.equal(database.pool.max, 20)
  })

  test('shares DATABASE_MAX_CONN with the other workers of its host, and no more than the server has', async () => {
    process.env['DATABASE_MAX_CONN'] = '64'
    assert.equal((await planned({ workers: 3 })).database.pool.max, 15)
    assert.equal((await planned({ workers: 1, surge: 0 })).database.pool.max, 63)
    assert.equal((await planned({ workers: 3, hosts: 4 })).database.pool.max, 5)
    process.env['DATABASE_MAX_CONN'] = '4'
    const { database, warnings } = await planned({ workers: 3 })
    assert.equal(database.pool.max, 1)
    assert.match(warnings[0]!, /there are 5 \(DATABASE_MAX_CONN 4 x 1 host, .*; set DATABASE_MAX_CONN to at least 8/)
  })

  test('DATABASE_MAX_CONN that is no number is refused', () => {
    assert.equal(hostLimitOf({ DATABASE_MAX_CONN: '' }), undefined)
    for (const text of ['many', '0', '-1', '1.5'])
      assert.throws(() => hostLimitOf({ DATABASE_MAX_CONN: text }), { code: 'POSTGRES_BAD_MAX_CONN' })
  })

  test('shares a server with the others that are for it, whatever user, password and database', () => {
    const serverOf = (url: string) => poolSpec({ url }).server
    assert.equal(serverOf('postgresql://a:b@db:5433/x'), serverOf('postgres://c@db:5433/y?application_name=z'))
    assert.notEqual(serverOf('postgresql://db:5433/x'), serverOf('postgresql://db:5434/x'))
    assert.equal(serverOf('postgresql://me@a:5432,b:5433/shop'), 'a:5432,b:5433')
    assert.equal(serverOf('postgresql://[bad'), 'unreadable')
    assert.match(poolSpec({ embedded: { dataDir: '/d' } }).server, /^embedded \/d$/)
    assert.doesNotMatch(serverOf('postgresql://me:secret@a,b/shop'), /secret/)
  })

  test('obeys the limit of a role', async () => {
    const root: Database = await open()
    await root.script('create role small login connection limit 20')
    const url = server.url.replace('user=postgres', 'user=small')
    const { database } = await planned({ workers: 2 }, { url })
    assert.equal(database.pool.max, 5)
    assert.equal(host().worker, 0)
  })

  test('of an app that is served from code, on as many hosts as its replicas say', async () => {
    const app = new App({ title: 'Alone' })
    app.get(
      '/',
      { uses: { db: postgres({ url: server.url.replace('/app?', '/postgres?') }) } },
      ({ db }) => db.pool.max,
    )
    const served = await serve(app, { port: 0, host: '127.0.0.1', replicas: 16, signals: false })
    // Two pools are declared here for this server: (97 - 1) / 16 hosts are 6, two of which listen.
    assert.equal(await (await fetch(served.url)).json(), 2)
    await served.close()
  })
})
