import assert from 'node:assert/strict'
import { before, beforeEach, describe, test } from 'node:test'
import fc from 'fast-check'
import { RequestRecord } from '../../../src/core/request-record.ts'
import { signalOf } from '../../../src/core/request-signal.ts'
import {
  NotCommittedError,
  SerializationError,
  UniqueViolation,
  type Transaction,
} from '../../../src/data/postgres/index.ts'
import { eventually, testServer } from '../support/server.ts'

const { open } = await testServer()
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
