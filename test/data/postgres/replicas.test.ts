import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  connect,
  type Database,
  DatabaseUnavailableError,
  embeddedPostgres,
  type EmbeddedPostgres,
  OutcomeUnknownError,
} from '../../../src/data/postgres/index.ts'
import { splitHosts } from '../../../src/data/postgres/hosts.ts'
import { proxied, type Proxied } from '../support/proxied.ts'
import { eventually, temporaryFolder } from '../support/server.ts'
import { withStandby } from '../support/standby.ts'

let primary: EmbeddedPostgres
let standby: EmbeddedPostgres
/** The two, each behind a proxy. */
let ways: { readonly primary: Proxied; readonly standby: Proxied }
let db: Database
/** Sees what the standby does. */
let onStandby: Database
const warnings: string[] = []

before(async () => {
  const dataDir = await temporaryFolder()
  const first = await embeddedPostgres({ dataDir })
  ;({ primary, standby } = await withStandby(first, dataDir))
  ways = { primary: await proxied(primary), standby: await proxied(standby) }
  db = await connect({
    url: ways.primary.url,
    replicas: [ways.standby.url],
    maxConnections: 4,
    log: { warn: (message: unknown) => void warnings.push(String(message)) },
  })
  onStandby = await connect({ url: standby.url, maxConnections: 1 })
  await db.script('create table stock (id int primary key, n int); insert into stock values (1, 12)')
})

after(async () => {
  await Promise.all([db.close(0), onStandby.close(0)])
  await Promise.all([ways.primary.proxy.close(), ways.standby.proxy.close()])
  await Promise.all([primary.stop(), standby.stop()])
})

const isReplica = async (of: Database): Promise<boolean> =>
  (await of.sql<{ is: boolean }>`select pg_is_in_recovery() as is`.one()).is

/** What has been written is there. */
const whenFollowed = (n: number) =>
  eventually(async () => {
    const row = await db.replica.sql<{ n: number }>`select n from stock where id = 1`.maybe().catch(() => null)
    return row?.n === n ? true : undefined
  })

describe('db.replica', () => {
  test('a replica gets a pool of the size that its primary gets', async () => {
    const pids = async () => {
      const rows = await Promise.all(
        [1, 2, 3].map(async () =>
          db.replica.sql<{ pid: number }>`select pg_backend_pid() as pid, pg_sleep(0.05)`.one(),
        ),
      )
      return new Set(rows.map(({ pid }) => pid)).size
    }
    db.resize({ max: 1, maxWaiting: 10 })
    await pids()
    assert.equal(await pids(), 1)
    db.resize({ max: 4, maxWaiting: 40 })
    // At first one may be done, and asked again, before the third connection is there.
    await eventually(async () => ((await pids()) === 3 ? true : undefined))
  })

  test('reads from a replica, and the rest goes to the primary', async () => {
    await whenFollowed(12)
    assert.equal(await isReplica(db.replica), true)
    assert.equal(await isReplica(db), false)
    const rows = await db.replica.transaction(tx => tx.sql`select n, pg_is_in_recovery() as is from stock`)
    assert.deepEqual(rows, [{ n: 12, is: true }])
    const read: unknown[] = []
    for await (const row of db.replica.cursor`select n from stock`) read.push(row)
    assert.deepEqual(read, [{ n: 12 }])
    await db.sql`update stock set n = 13`
    await whenFollowed(13)
  })

  test('refuses what writes', async () => {
    await assert.rejects(db.replica.sql`update stock set n = 0`.count(), { sqlState: '25006' })
    await assert.rejects(
      db.replica.transaction(tx => tx.sql`update stock set n = 0`),
      { sqlState: '25006' },
    )
  })

  test('falls back to the primary while the replica is away, without an error, and finds it again', async () => {
    const four = (seconds: number) =>
      Array.from({ length: 4 }, () => db.replica.sql`select pg_sleep(${seconds}), n from stock`.one())
    // The connections are there: the next ones begin at the same time, and are under way when it goes.
    await Promise.all(four(0.2))
    const reads = four(1)
    await eventually(async () => {
      const sleeping = await standbyBusy()
      return sleeping === 4 ? true : undefined
    })
    ways.standby.proxy.reset()
    for (const row of await Promise.all(reads)) assert.equal(row['n'], 13)
    assert.equal(await isReplica(db.replica), false)
    // Also there what reads in a transaction cannot write.
    await assert.rejects(
      db.replica.transaction(tx => tx.sql`update stock set n = 0`),
      { sqlState: '25006' },
    )
    assert.equal(warnings.filter(text => text.includes('elsewhere')).length, 1)
    ways.standby.proxy.heal()
    await eventually(async () => ((await isReplica(db.replica)) ? true : undefined))
    assert.match(warnings.at(-1)!, /^PostgreSQL at 127\.0\.0\.1:\d+\/app: this replica answers again$/)
  })

  test('finds a replica that says nothing any more, and leaves it alone', async () => {
    await whenFollowed(13)
    ways.standby.proxy.hold()
    const readsElsewhere = await eventually(async () => {
      // Who asks first waits; its own signal is its bound.
      const read = db.replica.sql<{ is: boolean }>`select pg_is_in_recovery() as is`
        .signal(AbortSignal.timeout(500))
        .one()
      return read.then(({ is }) => (is ? undefined : true)).catch(() => undefined)
    })
    assert.equal(readsElsewhere, true)
    ways.standby.proxy.heal()
    await eventually(async () => ((await isReplica(db.replica)) ? true : undefined))
  })

  test('does not take a replica whose connections are all at work for one that is away', async () => {
    const told: string[] = []
    const small = await connect({
      url: ways.primary.url,
      replicas: [ways.standby.url],
      maxConnections: 1,
      slowQuery: 0,
      log: { warn: (message: unknown) => void told.push(String(message)) },
    })
    // Longer than a look, and than what a look waits.
    await small.replica.sql`select pg_sleep(4)`
    assert.deepEqual(told, [])
    assert.equal(await isReplica(small.replica), true)
    await small.close(0)
  })

  test('reads elsewhere where a replica is set up wrongly', async () => {
    const told: string[] = []
    const url = ways.standby.url.replace('/app', '/no_such')
    const wrong = await connect({
      url: ways.primary.url,
      replicas: [url],
      log: { warn: (message: unknown) => void told.push(String(message)) },
    })
    assert.equal(await isReplica(wrong.replica), false)
    assert.match(told.join(), /^[^,]*database "no_such" does not exist; its reads go elsewhere/)
    await wrong.close(0)
  })

  test('sends a statement elsewhere that its replica cannot finish, because what it reads was vacuumed away', async () => {
    const watcher = onStandby
    await watcher.sql`alter system set max_standby_streaming_delay = 0`
    await watcher.sql`select pg_reload_conf()`
    await db.script('create table read_long as select n from generate_series(1, 1000) n')
    await eventually(
      async () => (await watcher.sql`select to_regclass('read_long') as found`.one())['found'] ?? undefined,
    )
    const reading = db.replica.sql<{ is: boolean }>`
      select pg_is_in_recovery() as is, pg_sleep(4), (select count(*) from read_long)`.one()
    await eventually(async () => ((await standbyBusy()) === 1 ? true : undefined))
    await db.sql`delete from read_long`
    await db.sql`vacuum read_long`
    assert.equal((await reading).is, false)
    await watcher.sql`alter system reset max_standby_streaming_delay`
    await watcher.sql`select pg_reload_conf()`
  })

  test('leaves a replica alone that is further behind than maxLag, until it has caught up', async () => {
    const told: string[] = []
    const fresh = await connect({
      url: ways.primary.url,
      replicas: [ways.standby.url],
      maxLag: '3s',
      log: { warn: (message: unknown) => void told.push(String(message)) },
    })
    const reads = (from: boolean) =>
      eventually(async () => ((await isReplica(fresh.replica)) === from ? true : undefined))
    await reads(true)
    await onStandby.sql`select pg_wal_replay_pause()`
    await db.sql`update stock set n = n`
    await reads(false)
    assert.match(told.join(), /^[^,]*this replica is more than 3 s behind; its reads go elsewhere/)
    await onStandby.sql`select pg_wal_replay_resume()`
    await reads(true)
    await fresh.close(0)
  })

  test('without replicas reads from the primary', async () => {
    const alone = await connect({ url: ways.primary.url })
    assert.equal(await isReplica(alone.replica), false)
    await alone.close()
  })

  async function standbyBusy(): Promise<number> {
    return onStandby.sql`select from pg_stat_activity where wait_event = 'PgSleep'`.count()
  }
})

describe('several hosts', () => {
  test('in a URL are one URL each', () => {
    assert.deepEqual(splitHosts('postgresql://me:a,b@one:5432,two:5433/shop?sslmode=require'), [
      'postgresql://me:a,b@one:5432/shop?sslmode=require',
      'postgresql://me:a,b@two:5433/shop?sslmode=require',
    ])
    for (const url of ['postgresql://me@one/shop', 'postgresql:///app?host=/a,b', 'postgresql://[::1]:5432/x,y'])
      assert.deepEqual(splitHosts(url), [url])
  })

  test('are asked in turn for the one that accepts writes; when none does, it is told what each said', async () => {
    const at = (port: number) => `127.0.0.1:${port}`
    const { primary: one, standby: two } = ways
    const both = await connect({ url: urlOf([at(two.proxy.port), at(one.proxy.port)]) })
    assert.equal(await isReplica(both), false)
    await both.close()
    one.proxy.reset()
    await assert.rejects(
      connect({ url: urlOf([at(two.proxy.port), at(one.proxy.port)]), startTimeout: 0 }),
      (error: Error) => {
        assert.ok(error instanceof DatabaseUnavailableError)
        assert.match(
          error.message,
          /^no PostgreSQL server accepts writes: 127\.0\.0\.1:\d+\/app: a standby; 127\.0\.0\.1:\d+\/app: /,
        )
        return true
      },
    )
    one.proxy.heal()
  })

  // Last: the standby is none afterwards.
  test('fail over: when the primary dies and the standby is promoted, writes go there within seconds, and meanwhile are a 503', async context => {
    const { primary: one, standby: two } = ways
    const both = await connect({ url: urlOf([`127.0.0.1:${one.proxy.port}`, `127.0.0.1:${two.proxy.port}`]) })
    await both.sql`update stock set n = 20`
    await whenFollowed(20)
    const outcomes: unknown[] = []
    let isOver = false
    const writing = (async () => {
      while (!isOver)
        await both.sql<{ n: number }>`update stock set n = n + 1 returning n`.one().then(
          ({ n }) => outcomes.push(n),
          (error: unknown) => outcomes.push(error),
        )
    })()
    one.proxy.reset()
    await primary.stop()
    const boss = await connect({ url: standby.url, maxConnections: 1 })
    const promotedMs = performance.now()
    await boss.sql`select pg_promote(true, 10)`
    const failed = outcomes.length
    await eventually(() =>
      outcomes.slice(failed).filter(each => typeof each === 'number').length > 5 ? true : undefined,
    )
    const tookMs = performance.now() - promotedMs
    isOver = true
    await writing
    const errors = outcomes.filter(each => typeof each !== 'number')
    context.diagnostic(
      `${errors.length} refused; writing again ${tookMs.toFixed(0)} ms after the promotion was asked for`,
    )
    assert.ok(errors.length > 0)
    for (const error of errors) {
      assert.ok(error instanceof DatabaseUnavailableError || error instanceof OutcomeUnknownError, String(error))
      assert.equal(error.status, 503)
    }
    // The one that was on its way when the primary went, if there was one.
    assert.ok(errors.filter(error => error instanceof OutcomeUnknownError).length <= 1)
    assert.ok(tookMs < 5000)
    await boss.close()
    await both.close()
  })

  function urlOf(hosts: readonly string[]): string {
    return `postgresql://${primary.address.user}@${hosts.join(',')}/app`
  }
})
