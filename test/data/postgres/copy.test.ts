import assert from 'node:assert/strict'
import net from 'node:net'
import { before, beforeEach, describe, test } from 'node:test'
import fc from 'fast-check'
import { CheckViolation, copyCsv, copyText, QueryError, sql, type Fragment } from '../../../src/data/postgres/index.ts'
import { App, content, dependency } from '../../../src/index.ts'
import { serve } from '../../../src/server/index.ts'
import { eventually, testServer } from '../support/server.ts'

const { open } = await testServer()
const db = await open({ maxConnections: 1, applicationName: 'copier' })
const watcher = await open({ maxConnections: 1 })

before(() =>
  db.script(`create table entry (id int check (id >= 0), text text, bytes bytea);
    create table big as select n as id, repeat('x', 1000) as text from generate_series(1, 20000) n`),
)
beforeEach(() => db.script('truncate entry'))

const assertUsable = async () => {
  await eventually(() => (db.pool.idle === db.pool.open ? true : undefined))
  assert.equal((await db.sql`select 1 as a`.one())['a'], 1)
}
const backend = async () => (await db.sql<{ pid: number }>`select pg_backend_pid() as pid`.one()).pid
const count = async () => (await db.sql<{ n: number }>`select count(*)::int as n from entry`.one()).n
const listOf = async <T>(items: AsyncIterable<T>) => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
const gather = async (chunks: AsyncIterable<Uint8Array>) => {
  return Buffer.concat(await listOf(chunks))
}

// Everything that the formats treat as their own, beside what people write.
const text = fc
  .oneof(
    fc.string({
      unit: fc.constantFrom('\\', 'N', '\n', '\r', '\t', ',', '"', '.', ' ', 'n', 'x', '\b', '\v', 'é', '🙂'),
    }),
    fc.string({ unit: 'binary' }),
  )
  .filter(text => !text.includes('\0') && text.isWellFormed())
const rowsOf = fc.array(
  fc.tuple(
    fc.option(fc.nat({ max: 2 ** 31 - 1 })),
    fc.option(text),
    fc.option(fc.uint8Array({ maxLength: 20 }).map(bytes => Buffer.from(bytes))),
  ),
  { maxLength: 30 },
)

/** The same bytes, cut where the numbers say. */
async function* cut(chunks: AsyncIterable<string>, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from((await listOf(chunks)).join(''))
  for (let at = 0, n = 0; at < bytes.length; n++) {
    const size = sizes[n % sizes.length]!
    yield bytes.subarray(at, at + size)
    at += size
  }
}

describe('rows', () => {
  const stored = async () => {
    const rows = await db.sql<{ id: number; text: string; bytes: Buffer }>`select * from entry`
    return rows.map(({ id, text, bytes }) => [id, text, bytes])
  }
  const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 })

  const arriveAsTheyLeft = (encode: typeof copyText, options: Fragment) =>
    fc.assert(
      fc.asyncProperty(rowsOf, sizes, async (rows, sizes) => {
        await db.script('truncate entry')
        assert.equal(await db.copyFrom(sql`copy entry from stdin ${options}`, cut(encode(rows), sizes)), rows.length)
        assert.deepEqual(await stored(), rows)
      }),
      { numRuns: 100 },
    )

  test('of any text, bytes and nulls arrive as they left, as text, cut anywhere', () =>
    arriveAsTheyLeft(copyText, sql.empty))

  test('of any text, bytes and nulls arrive as they left, as csv, cut anywhere', () =>
    arriveAsTheyLeft(copyCsv, sql`(format csv)`))

  test('of any text and nulls are read back as text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.option(text), fc.option(text)), { maxLength: 30 }), async rows => {
        await db.script('create temp table pair (a text, b text)')
        await db.copyFrom('copy pair from stdin', copyText(rows))
        assert.deepEqual(await listOf(db.copyTo('copy pair to stdout').rows()), rows)
        await db.script('drop table pair')
      }),
      { numRuns: 50 },
    )
  })

  test('larger than a piece are read back whole', async () => {
    const rows = Array.from({ length: 5 }, (_, n) => [String(n), `é${'x'.repeat(n * 50_000)}\n`, null])
    await db.copyFrom('copy entry from stdin', copyText(rows))
    assert.deepEqual(await listOf(db.copyTo('copy entry to stdout').rows()), rows)
  })

  test('with a value that is nothing are refused by the number of the column', async () => {
    await assert.rejects(db.copyFrom('copy entry from stdin', copyText([[1, undefined, null]])), {
      code: 'POSTGRES_UNDEFINED_VALUE',
      message: /\$2/,
    })
    await assertUsable()
  })
})

describe('db.copyTo', () => {
  test('gives what the server sends, byte for byte, in pieces', async () => {
    const bytes = await gather(db.copyTo('copy (select * from big order by id) to stdout (format csv, header)'))
    const lines = bytes.toString().split('\n')
    assert.equal(lines.length, 20_002)
    assert.equal(lines[0], 'id,text')
    assert.equal(lines[20_000], `20000,${'x'.repeat(1000)}`)
    await assertUsable()
  })

  test('reads no faster than its bytes are used', async () => {
    const pid = await backend()
    let bytes = 0
    let blocked = 0
    for await (const piece of db.copyTo('copy (select * from big, generate_series(1, 3)) to stdout')) {
      if (bytes === 0)
        blocked = await eventually(async () => {
          const { waits } = await watcher.sql<{ waits: string | null }>`
            select wait_event as waits from pg_stat_activity where pid = ${pid}`.one()
          return waits === 'ClientWrite' ? 1 : undefined
        })
      bytes += piece.length
    }
    assert.equal(blocked, 1, 'the server never waited for its reader')
    assert.ok(bytes > 60_000_000)
    await assertUsable()
  })

  test('a loop that is left cancels the statement, and keeps its connection', async () => {
    const pid = await backend()
    for await (const _ of db.copyTo('copy (select * from big, generate_series(1, 100)) to stdout')) break
    await assertUsable()
    assert.equal(await backend(), pid)
  })

  test('an abort ends it with its reason, also when nobody reads', async () => {
    const gone = new AbortController()
    const pid = await backend()
    const copy = db.copyTo('copy (select * from big, generate_series(1, 100)) to stdout', { signal: gone.signal })
    const pieces = copy[Symbol.asyncIterator]()
    await pieces.next()
    gone.abort(new Error('client left'))
    await assertUsable()
    assert.equal(await backend(), pid)
    await assert.rejects(pieces.next(), /client left/)
  })

  test('an error of the server in the middle is thrown, and what was read before is not taken for the whole', async () => {
    const copy = db.copyTo('copy (select 10 / (15000 - id), text from big order by id) to stdout')
    await assert.rejects(gather(copy), (error: unknown) => error instanceof QueryError && error.sqlState === '22012')
    await assertUsable()
  })

  for (const statement of ['select 1 as a', 'copy entry from stdin', 'truncate entry'])
    test(`refuses ${statement}`, async () => {
      await assert.rejects(gather(db.copyTo(statement)), { code: 'POSTGRES_NOT_A_COPY' })
      await assertUsable()
    })

  test('takes names in a template, and no values', async () => {
    await db.copyFrom(sql`copy ${sql.identifier('entry')} (${sql.identifier('id')}) from stdin`, ['7\n'])
    assert.equal(String(await gather(db.copyTo(sql`copy ${sql.identifier('entry')} to stdout`))), '7\t\\N\t\\N\n')
    assert.throws(() => db.copyTo(sql`copy entry to ${'file'}`), { code: 'POSTGRES_BAD_VALUE' })
  })

  test('runs inside a transaction', async () => {
    await db.transaction(async tx => {
      await tx.copyFrom('copy entry (id) from stdin', copyText([[1], [2]]))
      assert.equal(String(await gather(tx.copyTo('copy (select id from entry order by id) to stdout'))), '1\n2\n')
    })
    assert.equal(await count(), 2)
  })

  const sleeping = async () =>
    (
      await watcher.sql<{ n: number }>`select count(*)::int as n from pg_stat_activity
        where application_name = 'copier' and state = 'active' and wait_event = 'PgSleep'`.one()
    ).n

  test('that is left while the server is silent is cancelled at once', async () => {
    const reading = db.copyTo('copy (select pg_sleep(60)) to stdout')[Symbol.asyncIterator]()
    const first = reading.next()
    await eventually(async () => ((await sleeping()) === 1 ? true : undefined))
    assert.deepEqual(await reading.return!(), { done: true, value: undefined })
    assert.deepEqual(await first, { done: true, value: undefined })
    await eventually(async () => ((await sleeping()) === 0 ? true : undefined), 5000)
    await assertUsable()
  })

  test('that nobody waits for any more ends with its client, also where the route forgot the signal', async () => {
    const database = dependency({ scope: 'worker' }, () => db)
    const app = new App()
    app.get('/slow.csv', { returns: content('text/csv'), uses: { database } }, ({ database }) =>
      database.copyTo('copy (select pg_sleep(60)) to stdout'),
    )
    const { port, close } = await serve(app, { host: '127.0.0.1', port: 0, signals: false, logLevel: 'error' })
    const client = net.connect(port, '127.0.0.1')
    client.write('GET /slow.csv HTTP/1.1\r\nHost: a\r\n\r\n')
    await eventually(async () => ((await sleeping()) === 1 ? true : undefined))
    client.destroy()
    await eventually(async () => ((await sleeping()) === 0 ? true : undefined))
    await assertUsable()
    await close()
  })

  test('of which a transaction reads a part, and neither the rest nor the end, fails it', async () => {
    const work = db.transaction(async tx => {
      const reading = tx.copyTo("copy (select repeat('x', 1000) from generate_series(1, 100000)) to stdout")
      await reading[Symbol.asyncIterator]().next()
    })
    await assert.rejects(work, { code: 'POSTGRES_NOT_COMMITTED' })
    await assertUsable()
  })
})

describe('db.copyFrom', () => {
  test('takes its source no faster than the server takes it', async () => {
    const lock = await watcher.begin()
    await lock.sql`lock table entry in access exclusive mode`
    let given = 0
    const piece = Buffer.from(`1\t${'x'.repeat(1000)}\t\\N\n`.repeat(64))
    async function* source() {
      for (; given < 500; given++) yield await Promise.resolve(piece)
    }
    const copying = db.copyFrom('copy entry from stdin', source())
    await eventually(async () => {
      const waiting =
        await lock.sql`select 1 from pg_stat_activity where application_name = 'copier' and wait_event_type = 'Lock'`
      return waiting.length === 1 ? true : undefined
    })
    // PostgreSQL waits for the lock before it asks for data.
    assert.equal(given, 0)
    await lock.commit()
    await lock.close()
    assert.equal(await copying, 500 * 64)
    assert.equal(given, 500)
  })

  test('a source that throws undoes the copy, and its error comes through', async () => {
    const error = new Error('file ended early')
    async function* source() {
      yield await Promise.resolve('1\t\\N\t\\N\n')
      throw error
    }
    await assert.rejects(db.copyFrom('copy entry from stdin', source()), thrown => thrown === error)
    assert.equal(await count(), 0)
    await assertUsable()
  })

  test('a row that the server refuses undoes all of them, and the source is told', async () => {
    let told = false
    function* source() {
      try {
        yield '1\ta\t\\N\n-2\tb\t\\N\n'
        for (;;) yield `3\t${'c'.repeat(10_000)}\t\\N\n`
      } finally {
        told = true
      }
    }
    await assert.rejects(db.copyFrom('copy entry from stdin', source()), CheckViolation)
    assert.ok(told)
    assert.equal(await count(), 0)
    await assertUsable()
  })

  test('an abort undoes it, also while the source hangs', async () => {
    const gone = new AbortController()
    const pid = await backend()
    async function* source() {
      yield '1\ta\t\\N\n'
      gone.abort(new Error('client left'))
      await new Promise(() => {})
    }
    await assert.rejects(db.copyFrom('copy entry from stdin', source(), { signal: gone.signal }), /client left/)
    await assertUsable()
    assert.equal(await count(), 0)
    assert.equal(await backend(), pid)
  })

  test('a connection that dies in the middle is an error, and is replaced', async () => {
    const pid = await backend()
    async function* source() {
      yield '1\ta\t\\N\n'
      await watcher.sql`select pg_terminate_backend(${pid}, 5000)`
      for (;;) yield `3\t${'c'.repeat(10_000)}\t\\N\n`
    }
    await assert.rejects(db.copyFrom('copy entry from stdin', source()), { code: 'POSTGRES_UNAVAILABLE' })
    await assertUsable()
    assert.equal(await count(), 0)
  })

  for (const statement of ['select 1 as a', 'copy entry to stdout', 'truncate entry'])
    test(`refuses ${statement}`, async () => {
      await assert.rejects(db.copyFrom(statement, ['1\n']), { code: 'POSTGRES_NOT_A_COPY' })
      await assertUsable()
    })

  test('a source of something else is refused', async () => {
    await assert.rejects(db.copyFrom('copy entry from stdin', [{ id: 1 }] as never), { code: 'POSTGRES_BAD_VALUE' })
    await assertUsable()
  })
})
