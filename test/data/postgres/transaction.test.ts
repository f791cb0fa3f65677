import assert from 'node:assert/strict'
import { before, beforeEach, describe, test } from 'node:test'
import fc from 'fast-check'
import { RequestRecord } from '../../../src/core/request-record.ts'
import { signalOf } from '../../../src/core/request-signal.ts'
import {
  OutcomeUnknownError,
  NotCommittedError,
  SerializationError,
  UniqueViolation,
  type Transaction,
} from '../../../src/data/postgres/index.ts'
import { proxied } from '../support/proxied.ts'
import { eventually, testServer } from '../support/server.ts'

const { open, server } = await testServer()
const db = await open()

before(() => db.script('create table entry (id int primary key, n int not null default 0)'))
beforeEach(() => db.script('truncate entry'))

const ids = async () => (await db.sql<{ id: number }>`select id from entry order by id`).map(row => row.id)
const assertNothingLent = () => assert.equal(db.pool.idle, db.pool.open, 'a connection has not come back')

describe('db.transaction', () => {
  test('commits what it did when the work returns, and gives its value', async () => {
    const value = await db.transaction(async tx => {
      await tx.sql`insert into entry values (1), (2)`
      return 'done'
    })
    assert.equal(value, 'done')
    assert.deepEqual(await ids(), [1, 2])
    assertNothingLent()
  })

  test('rolls back when the work throws, and throws on', async () => {
    const error = new Error('changed my mind')
    const work = db.transaction(async tx => {
      await tx.sql`insert into entry values (1)`
      throw error
    })
    await assert.rejects(work, thrown => thrown === error)
    assert.deepEqual(await ids(), [])
    assertNothingLent()
  })

  test('a swallowed error is not a commit: PostgreSQL rolled back, and the caller is told', async () => {
    const work = db.transaction(async tx => {
      await tx.sql`insert into entry values (1)`
      await tx.sql`insert into entry values (1)`.catch(() => {})
    })
    await assert.rejects(work, NotCommittedError)
    assert.deepEqual(await ids(), [])
    assertNothingLent()
  })

  test('statements awaited together run in turn', async () => {
    await db.transaction(async tx => {
      await Promise.all([1, 2, 3].map(id => tx.sql`insert into entry values (${id})`))
    })
    assert.deepEqual(await ids(), [1, 2, 3])
  })

  test('a forgotten statement is cut off, and those behind it are never sent', async () => {
    const began = performance.now()
    const late: unknown[] = []
    const work = db.transaction(async tx => {
      void tx.sql`select pg_sleep(20)`.catch(error => late.push(error))
      void tx.sql`insert into entry values (1)`.catch(error => late.push(error))
      await new Promise(resolve => setTimeout(resolve, 20))
      throw new Error('enough')
    })
    await assert.rejects(work, /enough/)
    assert.ok(performance.now() - began < 5000)
    assert.deepEqual(
      late.map(error => (error as { code: string }).code),
      ['POSTGRES_QUERY', 'POSTGRES_TRANSACTION_ENDED'],
    )
    assert.deepEqual(await ids(), [])
    assertNothingLent()
  })

  test('isolation and read-only are what was asked for', async () => {
    const options = { isolation: 'serializable', readOnly: true } as const
    await db.transaction(async tx => {
      const row = await tx.sql`select current_setting('transaction_isolation') as isolation,
        current_setting('transaction_read_only') as "readOnly"`.one()
      assert.deepEqual(row, { isolation: 'serializable', readOnly: 'on' })
    }, options)
  })

  test('a serialization failure is typed, and is run again only when asked', async () => {
    await db.sql`insert into entry values (1), (2)`
    const crossing = async (retries: number) => {
      let both = 0
      const { promise: bothHaveRead, resolve } = Promise.withResolvers<void>()
      const add = (from: number, to: number) =>
        db.transaction(
          async tx => {
            await tx.sql`select n from entry where id = ${from}`
            if (++both === 2) resolve()
            await bothHaveRead
            await tx.sql`update entry set n = n + 1 where id = ${to}`
          },
          { isolation: 'serializable', retries },
        )
      return Promise.allSettled([add(1, 2), add(2, 1)])
    }
    const failed = (await crossing(0)).filter(result => result.status === 'rejected')
    assert.equal(failed.length, 1)
    assert.ok(failed[0]!.reason instanceof SerializationError)
    // While the one that won is being written to the disk, the other one fails again and again.
    assert.ok((await crossing(50)).every(result => result.status === 'fulfilled'))
    assertNothingLent()
  })

  test('transactions that deadlock again and again all end well when they may be run again', async () => {
    await db.sql`insert into entry values (1), (2)`
    let runs = 0
    const swap = (from: number, to: number) =>
      db.transaction(
        async tx => {
          runs++
          await tx.sql`select from entry where id = ${from} for update`
          await tx.sql`select pg_sleep(0.01)`
          await tx.sql`select from entry where id = ${to} for update`
        },
        { retries: 20 },
      )
    await db.script('alter system set deadlock_timeout = 10')
    await db.sql`select pg_reload_conf()`
    await Promise.all([1, 2, 3].flatMap(() => [swap(1, 2), swap(2, 1)]))
    assert.ok(runs > 6, 'nothing collided')
    assertNothingLent()
  })

  test('the pause before another run ends with the signal, and is left out where no time is left for it', async () => {
    const failing = async (tx: Transaction): Promise<void> => {
      await tx.sql`do $$ begin raise exception sqlstate '40001'; end $$`
    }
    const gone = new AbortController()
    let runs = 0
    const work = db.transaction(
      tx => {
        if (++runs === 3) setImmediate(() => gone.abort(new Error('client left')))
        return failing(tx)
      },
      { retries: 1000, signal: gone.signal },
    )
    await assert.rejects(work, /client left/)
    const { signal } = new AbortController()
    signalOf({ limitAtMs: performance.now() + 60, record: new RequestRecord() }, signal)
    // Else it would go on for minutes: the signal does not abort.
    await assert.rejects(db.transaction(failing, { retries: 1000, signal }), SerializationError)
    // What was aborted ends on the server before its connection is back.
    await eventually(() => (db.pool.idle === db.pool.open ? true : undefined))
  })
})

describe('savepoints', () => {
  test('an inner transaction rolls back alone', async () => {
    await db.transaction(async tx => {
      await tx.sql`insert into entry values (1)`
      await assert.rejects(
        tx.transaction(async inner => {
          await inner.sql`insert into entry values (2)`
          await inner.sql`insert into entry values (1)`
        }),
        UniqueViolation,
      )
      await tx.transaction(inner => inner.sql`insert into entry values (3)`)
    })
    assert.deepEqual(await ids(), [1, 3])
  })

  test('a swallowed error is no commit of an inner transaction either, and the outer one goes on', async () => {
    await db.transaction(async tx => {
      const inner = tx.transaction(async inner => {
        await inner.sql`insert into entry values (1)`
        await inner.sql`insert into entry values (1)`.catch(() => {})
      })
      await assert.rejects(inner, NotCommittedError)
      await tx.sql`insert into entry values (2)`
    })
    assert.deepEqual(await ids(), [2])
    assertNothingLent()
  })

  test('two inner transactions at once are refused: the first would undo what the second was told is committed', async () => {
    await db.transaction(async tx => {
      const { promise: mayFail, resolve: fail } = Promise.withResolvers<void>()
      const first = tx.transaction(async inner => {
        await inner.sql`insert into entry values (1)`
        await mayFail
        throw new Error('the first fails')
      })
      const busy = { name: 'UsageError', code: 'POSTGRES_TRANSACTION_BUSY' }
      await assert.rejects(
        tx.transaction(inner => inner.sql`insert into entry values (2)`),
        busy,
      )
      fail()
      await assert.rejects(first, /the first fails/)
      await tx.transaction(async inner => {
        await inner.sql`insert into entry values (3)`
        await assert.rejects(
          tx.transaction(() => 'of the wrong one'),
          busy,
        )
      })
    })
    assert.deepEqual(await ids(), [3])
    assertNothingLent()
  })

  test('an inner transaction that outlives the outer one touches nothing', async () => {
    let escaped: Transaction | undefined
    const { promise: outerIsDone, resolve } = Promise.withResolvers<void>()
    let inner: Promise<void> | undefined
    await db.transaction(async tx => {
      const { promise: entered, resolve: enter } = Promise.withResolvers<void>()
      inner = tx.transaction(async own => {
        escaped = own
        enter()
        await outerIsDone
      })
      await entered
    })
    resolve()
    await assert.rejects(inner!, { code: 'POSTGRES_TRANSACTION_ENDED' })
    await assert.rejects(async () => escaped!.sql`select 1`, { code: 'POSTGRES_TRANSACTION_ENDED' })
    assertNothingLent()
  })

  // Any tree of transactions, each committing or throwing, leaves exactly the rows of those whose every ancestor committed.
  test('any nesting leaves what its commits say', async () => {
    interface Node {
      readonly fails: boolean
      readonly children: readonly Node[]
    }
    const treeOf = (depth: number): fc.Arbitrary<Node> =>
      fc.record({
        fails: fc.boolean(),
        children: depth === 0 ? fc.constant([]) : fc.array(treeOf(depth - 1), { maxLength: 3 }),
      })
    const tree = treeOf(3)
    await fc.assert(
      fc.asyncProperty(tree, async root => {
        await db.script('truncate entry')
        let next = 0
        const perform = async (tx: Transaction, node: Node): Promise<number[]> => {
          const kept = [++next]
          await tx.sql`insert into entry values (${next})`
          for (const child of node.children) {
            let rows: number[] = []
            await tx
              .transaction(async inner => {
                rows = await perform(inner, child)
              })
              .then(() => kept.push(...rows))
              .catch(() => {})
          }
          if (node.fails) throw new Error('this one fails')
          return kept
        }
        const kept = await db.transaction(tx => perform(tx, root)).catch(() => [])
        assert.deepEqual(
          await ids(),
          kept.sort((a, b) => a - b),
        )
      }),
      { numRuns: 40 },
    )
    assertNothingLent()
  })
})

describe('db.begin', () => {
  test('close rolls back what was not committed, and does nothing after a commit', async () => {
    const abandoned = await db.begin()
    await abandoned.sql`insert into entry values (1)`
    await abandoned.close()
    const kept = await db.begin()
    await kept.sql`insert into entry values (2)`
    await kept.commit()
    await kept.close()
    await kept.close()
    assert.deepEqual(await ids(), [2])
    assertNothingLent()
  })

  test('after its end nothing can be sent', async () => {
    const tx = await db.begin()
    await tx.rollback()
    for (const attempt of [() => tx.sql`select 1`, () => tx.commit(), () => tx.rollback(), () => tx.script('select 1')])
      await assert.rejects(async () => attempt(), { code: 'POSTGRES_TRANSACTION_ENDED' })
    await tx.close()
    assertNothingLent()
  })

  test('close succeeds also when the server has ended the connection', async () => {
    const tx = await db.begin()
    const { pid } = await tx.sql<{ pid: number }>`select pg_backend_pid() as pid`.one()
    await db.sql`select pg_terminate_backend(${pid}, 5000)`
    await assert.rejects(async () => tx.sql`select 1`, { code: 'POSTGRES_UNAVAILABLE', status: 503 })
    await tx.close()
    assert.equal((await db.sql`select 1 as a`.one())['a'], 1)
    assertNothingLent()
  })
})

describe('a transaction begun by hand', () => {
  const leftOpen = { name: 'UsageError', code: 'POSTGRES_TRANSACTION_LEFT_OPEN' }

  test('on a connection of the pool is refused and undone, and nobody else gets into it', async () => {
    const one = await open({ maxConnections: 1 })
    await assert.rejects(one.sql`begin`, leftOpen)
    await assert.rejects(one.script('begin; insert into entry values (1)'), leftOpen)
    await one.sql`insert into entry values (2)`
    assert.deepEqual(await ids(), [2])
    await assert.rejects(one.script('begin; insert into entry values (3); select 1 / 0'), { sqlState: '22012' })
    assert.deepEqual(await one.sql`select 1 as a`, [{ a: 1 }])
    await one.script('begin; insert into entry values (4); commit')
    assert.deepEqual(await ids(), [2, 4])
  })
})

describe('a network that is gone', () => {
  test('while a statement on its own runs: one that reads may be sent again, of another nobody knows', async () => {
    const { proxy, url } = await proxied(server)
    const far = await open({ url, maxConnections: 5 })
    const backend = (text: string) =>
      eventually(async () => {
        const rows = await db.sql<{ pid: number }>`
          select pid from pg_stat_activity where query = ${text} and wait_event = 'PgSleep'`
        return rows[0]?.pid
      })
    const lost = async (text: string, send: (text: string) => Promise<unknown>) => {
      const failed = send(text).then(
        () => assert.fail('it was answered'),
        (error: Error & { retryAfterMs?: number }) => [error.name, error.retryAfterMs],
      )
      await backend(text)
      proxy.resetOpen()
      return failed
    }
    const insert = 'insert into entry select 1 from pg_sleep(20)'
    assert.deepEqual(await lost('select pg_sleep(20)', text => far.query(text).count()), [
      'DatabaseUnavailableError',
      1000,
    ])
    const unknown = ['OutcomeUnknownError', undefined]
    assert.deepEqual(await lost(`${insert} as one`, text => far.query(text).count()), unknown)
    assert.deepEqual(await lost(`${insert} as two`, text => far.script(text)), unknown)
    assert.deepEqual(await lost(`${insert} as three`, text => far.rowArrays(text)), unknown)
    // What the server says that it has ended was not done.
    const ended = assert.rejects(far.query(insert).count(), { code: 'POSTGRES_UNAVAILABLE', retryAfterMs: 1000 })
    await db.sql`select pg_terminate_backend(${await backend(insert)})`
    await ended
    await far.close(0)
    await proxy.close()
  })

  test('between a commit and its answer: that it is not known is said, and nobody is asked to try again', async () => {
    const { proxy, url } = await proxied(server)
    const far = await open({ url, maxConnections: 1 })
    const tx = await far.begin()
    await tx.sql`insert into entry values (1)`
    proxy.hold()
    const committed = assert.rejects(tx.commit(), (error: unknown) => {
      assert.ok(error instanceof OutcomeUnknownError)
      assert.deepEqual([error.status, error.retryAfterMs], [503, undefined])
      return true
    })
    proxy.resetOpen()
    await committed
    await tx.close()
    await far.close(0)
    await proxy.close()
  })

  test('before a commit is sent, or behind one that only read: then it is known', async () => {
    const { proxy, url } = await proxied(server)
    const far = await open({ url, maxConnections: 2 })
    const [unsent, reading] = [await far.begin(), await far.begin({ readOnly: true })]
    await Promise.all([unsent.sql`insert into entry values (1)`, reading.sql`select 1`])
    proxy.hold()
    const read = assert.rejects(reading.commit(), { code: 'POSTGRES_UNAVAILABLE' })
    proxy.resetOpen()
    await read
    await eventually(() => (far.pool.open === 0 ? true : undefined))
    await assert.rejects(unsent.commit(), { code: 'POSTGRES_UNAVAILABLE' })
    await Promise.all([unsent.close(), reading.close()])
    await far.close(0)
    await proxy.close()
  })

  test('costs the pool no connection: the end of a transaction is not waited for much longer than its signal', async () => {
    const { proxy, url } = await proxied(server)
    const far = await open({ url, maxConnections: 2 })
    const controller = new AbortController()
    const { signal } = controller
    const [committing, undone] = [await far.begin({ signal }), await far.begin({ signal })]
    proxy.hold()
    const committed = assert.rejects(committing.commit(), OutcomeUnknownError)
    controller.abort(new Error('over'))
    await Promise.all([committed.then(() => committing.close()), undone.close()])
    assert.equal(far.pool.open, 0)
    await far.close(0)
    await proxy.close()
  })
})
