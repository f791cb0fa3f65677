// Indexes that are missing, on a real server with pg_stat_statements: they are named, the line that is told makes them, and then they are not
// missing any more.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { connect, type Database, embeddedPostgres, type EmbeddedPostgres } from '../../../src/data/postgres/index.ts'
import { findMissingIndexes } from '../../../src/data/postgres/index-hints.ts'
import { temporaryFolder } from '../support/server.ts'

let server: EmbeddedPostgres
let db: Database

before(async () => {
  const dataDir = await temporaryFolder()
  server = await embeddedPostgres({ dataDir })
  db = await connect({ url: server.url })
  await db.query("alter system set shared_preload_libraries = 'pg_stat_statements'")
  await db.script(`
    create table "user" (id bigint generated always as identity primary key, email text not null, "Group" int not null,
      kind text not null, seen_at timestamptz not null);
    insert into "user" (email, "Group", kind, seen_at)
      select 'user' || n || '@example.com', n % 500, case n % 3 when 0 then 'a' else 'b' end, now() - n * interval '1 minute'
      from generate_series(1, 30000) n;
    create schema shop;
    create table shop.visits (id bigint primary key, user_id bigint references "user", path text not null);
    insert into shop.visits select n, 1 + n % 30000, '/' || n % 10 from generate_series(1, 20000) n;
    create table small (id int primary key, name text);
    insert into small select n, 'n' || n from generate_series(1, 100) n;
    analyze`)
  await db.close()
  await server.stop()
  server = await embeddedPostgres({ dataDir })
  db = await connect({ url: server.url })
})

after(async () => {
  await db?.close(0)
  await server?.stop()
})

const sqlOf = async () => (await findMissingIndexes(db)).hints.map(({ sql }) => sql)

describe('missing indexes', () => {
  test('of tables that are read whole again and again are told from the counts of the server alone', async () => {
    for (let n = 0; n < 60; n++) await db.sql`select count(*) from shop.visits where path = ${'/1'}`
    await db.sql`select pg_stat_force_next_flush()`
    const { hints, statements } = await findMissingIndexes(db)
    assert.equal(statements, undefined)
    assert.deepEqual(
      hints.map(({ table, columns, sql }) => ({ table, columns, sql })),
      [
        {
          table: 'shop.visits',
          columns: ['user_id'],
          sql: 'create index concurrently on shop.visits (user_id);',
        },
      ],
    )
    assert.match(hints[0]!.reason, /^read whole \d+ times, by statements that are not known; it has a foreign key/)
    await db.query('create index concurrently on shop.visits (user_id)')
    assert.deepEqual(await sqlOf(), ['create index concurrently on shop.visits (...);'])
    await db.sql`select pg_stat_reset()`
  })

  test('of statements are told with their columns, and none is told once it is there', async () => {
    await db.script('create extension pg_stat_statements')
    for (let n = 0; n < 5; n++) {
      await db.sql`select id from "user" where email = ${`user${n}@example.com`}`
      await db.sql`select * from "user" u where u.kind = ${'a'} and u."Group" = ${n} and u.seen_at > now() - interval '1 hour' limit 3`
      await db.query(`update "user" set seen_at = now() where email = 'user${n}@example.com'`)
      // None of these would be helped by an index: a few rows, most rows, rows by key, nothing to compare.
      await db.sql`select * from small where name = ${'n1'}`
      await db.sql`select count(*) from "user" where kind = ${'b'}`
      await db.sql`select * from "user" where id = ${n}`
      await db.sql`select count(*) from "user"`
      await db.sql`select count(*) from "user" where lower(email) = ${'x'}`
    }
    const { hints, statements } = await findMissingIndexes(db)
    assert.ok(statements! >= 8, String(statements))
    const told = hints.map(({ sql }) => sql).toSorted()
    assert.deepEqual(told, [
      'create index concurrently on "user" ("Group", seen_at);',
      'create index concurrently on "user" (email);',
    ])
    assert.match(hints.find(({ columns }) => columns[0] === 'email')!.reason, /^read whole by \(5 x [\d.]+ ms\): /)
    for (const sql of told) await db.query(sql.slice(0, -1))
    assert.deepEqual(await sqlOf(), [])
  })

  test('are looked for without running a statement: what deletes is planned too', async () => {
    await db.sql`delete from shop.visits where path = ${'/1'} and id < ${0}`
    await db.script('drop index shop.visits_user_id_idx')
    await db.query('delete from shop.visits where user_id = 29999')
    const left = await db.sql`select from shop.visits`.count()
    await db.query('insert into shop.visits values (-1, 29999, $1)', ['/x'])
    assert.deepEqual(await sqlOf(), ['create index concurrently on shop.visits (user_id);'])
    assert.equal(await db.sql`select from shop.visits`.count(), left + 1)
  })
})
