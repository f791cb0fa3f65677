import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import {
  CheckViolation,
  connect,
  ConstraintError,
  ForeignKeyViolation,
  ManyRowsError,
  NoRowError,
  NotNullViolation,
  PoolFullError,
  PostgresSettingsError,
  QueryError,
  QueryTimeoutError,
  sql,
  UniqueViolation,
} from '../../../src/data/postgres/index.ts'
import { eventually, testServer } from '../support/server.ts'

const { server, open } = await testServer()
const db = await open()

before(() =>
  db.script(`
    create table shelf (id int primary key);
    create table item (
      id int primary key,
      name text not null unique,
      stock int constraint stock_not_negative check (stock >= 0),
      shelf int references shelf
    );
    insert into item (id, name, stock) values (1, 'one', 1), (2, 'two', 2), (3, 'three', 3);
  `),
)

describe('rows', () => {
  test('a statement gives an array, .one() its only row, .maybe() that or null, .count() their number', async () => {
    assert.deepEqual(await db.sql`select id from item where id < ${3} order by id`, [{ id: 1 }, { id: 2 }])
    assert.deepEqual(await db.sql<{ name: string }>`select name from item where id = ${1}`.one(), { name: 'one' })
    assert.equal(await db.sql`select name from item where id = ${99}`.maybe(), null)
    assert.equal(await db.sql`update item set stock = stock where id in (1, 2)`.count(), 2)
  })

  test('too few or too many rows are typed errors', async () => {
    await assert.rejects(db.sql`select 1 where false`.one(), NoRowError)
    await assert.rejects(db.sql`select id from item`.one(), ManyRowsError)
    await assert.rejects(db.sql`select id from item`.maybe(), { code: 'POSTGRES_MANY_ROWS', rows: 3 })
  })

  test('a statement is sent once, when it is first awaited', async () => {
    await db.script('create sequence sent')
    const query = db.sql`select nextval('sent') as n`
    assert.deepEqual([await query.one(), await query.one(), await query], [{ n: '1' }, { n: '1' }, [{ n: '1' }]])
    assert.ok(db.sql`select nextval('sent')`, 'never awaited')
    assert.deepEqual(await db.sql`select nextval('sent') as n`.one(), { n: '2' })
  })

  test('filters and order are composed from fragments', async () => {
    const filters = [sql`stock > ${0}`, sql`name like ${'t%'}`]
    const rows = await db.sql<{ name: string }>`
      select name from item where ${sql.join(filters, sql` and `)} order by ${sql.identifier('stock')} ${sql`desc`}`
    assert.deepEqual(
      rows.map(row => row.name),
      ['three', 'two'],
    )
  })

  test('a hundred statements at once share the pool', async () => {
    const rows = await Promise.all(Array.from({ length: 100 }, (_, n) => db.sql`select ${n}::int as n`.one()))
    assert.deepEqual(
      rows.map(row => row['n']),
      Array.from({ length: 100 }, (_, n) => n),
    )
    assert.ok(db.pool.open <= 10)
    assert.equal(db.pool.idle, db.pool.open)
  })
})

describe('prepared statements', () => {
  test('a text is prepared when it comes the second time, once on each connection', async () => {
    const one = await open({ maxConnections: 1 })
    for (let run = 0; run < 4; run++) await one.sql`select ${run}::int as prepared_or_not`
    const rows = await one.query(
      `select (generic_plans + custom_plans)::int as runs from pg_prepared_statements where statement like '%prepared_or_not'`,
    )
    assert.deepEqual(rows, [{ runs: 3 }])
  })

  test('a connection keeps a bounded number, forgetting what it has not used for longest', async () => {
    const one = await open({ maxConnections: 1, preparedStatements: 5 })
    for (let run = 0; run < 40; run++) {
      await one.query(`select 0 as always`).one()
      assert.deepEqual(await one.query(`select ${run % 8} as n`).one(), { n: run % 8 })
    }
    const kept = await one.query<{ statement: string }>('select statement from pg_prepared_statements')
    assert.equal(kept.length, 5)
    assert.ok(kept.some(row => row.statement === 'select 0 as always'))
  })

  test('a migration that changes the columns of a prepared statement is not noticed by its callers', async () => {
    await db.script('create table migrating (a int); insert into migrating values (1)')
    for (let run = 0; run < 30; run++)
      await Promise.all([db.sql`select * from migrating`, db.sql`select * from migrating`])
    await db.script(`alter table migrating add b text default 'new'`)
    for (let run = 0; run < 30; run++)
      assert.deepEqual(await Promise.all([db.sql`select * from migrating`, db.sql`select * from migrating`]), [
        [{ a: 1, b: 'new' }],
        [{ a: 1, b: 'new' }],
      ])
  })

  test('nor by a transaction that may be run again; one that may not is a 503 once, for each connection', async () => {
    const one = await open({ maxConnections: 1 })
    await one.script('create table moving (a int); insert into moving values (1)')
    const all = (retries: number) => one.transaction(tx => tx.sql`select * from moving`, { retries })
    for (let run = 0; run < 3; run++) await all(0)
    await db.script('alter table moving add b int')
    await assert.rejects(all(0), { name: 'SerializationError', code: 'POSTGRES_STALE_PLAN', status: 503 })
    assert.deepEqual(await all(0), [{ a: 1, b: null }])
    await db.script('alter table moving add c int')
    assert.deepEqual(await all(1), [{ a: 1, b: null, c: null }])
  })

  test('a name stands for one text: another one is refused, and never answered with the rows of the first', async () => {
    const one = await open({ maxConnections: 1 })
    const named = (text: string) => one.query(text, [], { name: 'mine' })
    assert.deepEqual(await named('select 1 as a'), [{ a: 1 }])
    await assert.rejects(named('select 2 as b'), { name: 'UsageError', code: 'POSTGRES_BAD_NAME' })
    assert.deepEqual(await named('select 1 as a'), [{ a: 1 }])
    const unprepared = await open({ maxConnections: 1, preparedStatements: 0 })
    for (const [text, row] of [['select 1 as a', { a: 1 }] as const, ['select 2 as b', { b: 2 }] as const])
      assert.deepEqual(await unprepared.query(text, [], { name: 'mine' }), [row])
  })

  test('one that somebody else has put in the place of ours is an error, and no row of other columns', async () => {
    const one = await open({ maxConnections: 1 })
    for (let run = 0; run < 3; run++) await one.sql`select 1 as of_ours`
    const { name } = await one
      .query<{ name: string }>(`select name from pg_prepared_statements where statement = 'select 1 as of_ours'`)
      .one()
    await one.script(`deallocate ${name}; prepare ${name} as select 5 as a, 6 as b`)
    await assert.rejects(one.sql`select 1 as of_ours`, { code: 'POSTGRES_STATEMENT_CHANGED' })
  })

  test('they survive DISCARD ALL', async () => {
    const one = await open({ maxConnections: 1 })
    for (let run = 0; run < 3; run++) await one.sql`select 1 as a`
    await one.query('discard all')
    assert.deepEqual(await one.sql`select 1 as a`.one(), { a: 1 })
  })

  test('none are made when told so', async () => {
    const one = await open({ maxConnections: 1, preparedStatements: 0 })
    for (let run = 0; run < 3; run++) await one.sql`select ${run}::int as a`
    assert.deepEqual(await one.query('select 1 from pg_prepared_statements'), [])
  })
})

describe('errors', () => {
  const violation = (Kind: new (...of: never[]) => ConstraintError, facts: object) => (error: unknown) => {
    assert.ok(error instanceof Kind && error instanceof ConstraintError && error instanceof QueryError)
    assert.deepEqual({ ...error, ...facts }, { ...error })
    return true
  }

  test('broken constraints are typed and name table, constraint and column', async () => {
    await assert.rejects(
      async () => db.sql`insert into item values (9, 'one', 1)`,
      violation(UniqueViolation, { sqlState: '23505', table: 'item', constraint: 'item_name_key' }),
    )
    await assert.rejects(
      async () => db.sql`update item set stock = -1`,
      violation(CheckViolation, { code: 'POSTGRES_CHECK_VIOLATION', constraint: 'stock_not_negative' }),
    )
    await assert.rejects(
      async () => db.sql`insert into item values (9, 'nine', 1, 77)`,
      violation(ForeignKeyViolation, { constraint: 'item_shelf_fkey' }),
    )
    await assert.rejects(
      async () => db.sql`insert into item values (9, null)`,
      violation(NotNullViolation, { column: 'name' }),
    )
  })

  test('what PostgreSQL says about values is neither in the message nor in what clients may read', async () => {
    const secret = 'card-4111'
    await db.sql`insert into item values (10, ${secret}, 1)`
    await assert.rejects(
      async () => db.sql`insert into item values (11, ${secret}, 1)`,
      (error: QueryError) => {
        assert.match(error.serverDetail!, /card-4111/)
        assert.doesNotMatch(`${error.message} ${error.detail} ${error.statement}`, /card/)
        return true
      },
    )
  })

  test('a statement that PostgreSQL does not understand says where', async () => {
    await assert.rejects(
      async () => db.sql`selct ${1}`,
      (error: QueryError) => error.sqlState === '42601' && error.position === 1 && error.statement === 'selct $1',
    )
    assert.deepEqual(await db.sql`select 1 as a`.one(), { a: 1 })
  })

  test('a statement that runs too long is ended by the server: 504', async () => {
    const impatient = await open({ statementTimeout: 300 })
    await assert.rejects(
      async () => impatient.sql`select pg_sleep(10)`,
      (error: QueryTimeoutError) => error instanceof QueryTimeoutError && error.status === 504,
    )
    assert.deepEqual(await impatient.sql`select 1 as a`.one(), { a: 1 })
  })

  test('so is a transaction that runs or idles for longer than the server allows, and its connection is not lent again', async () => {
    const one = await open({ maxConnections: 1, idleInTransactionTimeout: 100 })
    const lasting = one.transaction(async tx => {
      await tx.script(`set local transaction_timeout = '100ms'`)
      return tx.sql`select pg_sleep(10)`
    })
    await assert.rejects(lasting, { name: 'QueryTimeoutError', sqlState: '25P04', status: 504 })
    const tx = await one.begin()
    await eventually(() => (one.pool.open === 0 ? true : undefined))
    await assert.rejects(tx.sql`select 1`.count(), {
      code: 'POSTGRES_UNAVAILABLE',
      message: /the connection has ended: terminating connection due to idle-in-transaction timeout$/,
    })
    await tx.close()
    assert.deepEqual(await one.sql`select 1 as a`.one(), { a: 1 })
  })

  test('a full line is a 503 with Retry-After, and nobody who stands in it suffers', async () => {
    const small = await open({ maxConnections: 1, maxWaiting: 2 })
    const results = await Promise.allSettled(
      [1, 2, 3, 4, 5].map(async n => small.sql`select ${n}::int as n, pg_sleep(0.02)`.one()),
    )
    assert.deepEqual(
      results.map(result => result.status),
      ['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected'],
    )
    const refused = results[4] as PromiseRejectedResult
    assert.ok(refused.reason instanceof PoolFullError && refused.reason.status === 503)
    assert.ok(refused.reason.retryAfterMs! > 0)
  })

  test('a script with parameters of an attacker cannot exist: several statements are refused outside of scripts', async () => {
    await assert.rejects(async () => db.query('select 1; select 2'), { sqlState: '42601' })
  })
})

describe('start', () => {
  test('what waiting cannot mend fails at once and never shows the password', async () => {
    const password = 'pa55word'
    const missing = server.url.replace('/app?', '/missing?') + `&password=${password}`
    await assert.rejects(connect({ url: missing }), (error: Error) => {
      assert.ok(error instanceof PostgresSettingsError)
      assert.match(error.message, /database "missing" does not exist/)
      assert.doesNotMatch(error.message + JSON.stringify(error), new RegExp(password))
      return true
    })
    for (const url of [`http://me:${password}@host/db`, `postgresql://me:${password}@host:99999999/db`, password])
      await assert.rejects(connect({ url, startTimeout: 0 }), (error: Error) => {
        assert.doesNotMatch(error.message + JSON.stringify(error), new RegExp(password))
        return true
      })
  })

  test('nor what the server does not let the role do, or does not know', async () => {
    await db.query('create database closed')
    await db.script(`revoke connect on database closed from public; create role visitor login`)
    const refused = (url: string, message: RegExp) =>
      assert.rejects(connect({ url }), { name: 'PostgresSettingsError', code: 'POSTGRES_REFUSED', message })
    const closed = server.url.replace('/app?', '/closed?').replace('user=postgres', 'user=visitor')
    await refused(closed, /^PostgreSQL at .*\/closed: permission denied for database "closed"$/)
    await refused(`${server.url}&options=-c%20no_such=1`, /unrecognized configuration parameter "no_such"/)
    await assert.rejects(connect({ url: `${server.url}&sslrootcert=/nowhere/ca.pem` }), {
      code: 'POSTGRES_BAD_URL',
      message: 'The database URL names a file that cannot be read (ENOENT): /nowhere/ca.pem',
    })
  })

  test('with fewer connections than are wanted at the start is one, where the server has no more', async () => {
    await db.script('create role crowded login connection limit 2')
    const url = server.url.replace('user=postgres', 'user=crowded')
    const few = await open({ url, minConnections: 4, acquireTimeout: '300ms' })
    assert.deepEqual(few.pool, { open: 2, idle: 2, waiting: 0, max: 10 })
  })

  test('without a URL and without an embedded server the message says what to set', async () => {
    const before = process.env['DATABASE_URL']
    delete process.env['DATABASE_URL']
    await assert.rejects(connect({ embedded: false }), { code: 'POSTGRES_NO_URL', message: /DATABASE_URL/ })
    if (before !== undefined) process.env['DATABASE_URL'] = before
  })

  test('connections carry the name of the application', async () => {
    const named = await open({ applicationName: 'shop' })
    assert.deepEqual(await named.sql`select current_setting('application_name') as name`.one(), { name: 'shop' })
  })
})
