import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { DatabaseUnavailableError, PoolFullError } from '../../../src/data/postgres/errors.ts'
import { Pool, type PoolOptions } from '../../../src/data/postgres/pool.ts'

class Thing {
  closed = false
}

const DEFAULTS = {
  max: 2,
  min: 0,
  maxWaiting: 10,
  acquireTimeoutMs: 10_000,
  idleTimeoutMs: 10_000,
  maxLifetimeMs: 60_000,
  retryAfterMs: 1,
  where: 'a pool',
}

function poolOf(options: Partial<PoolOptions<Thing>> = {}) {
  const things: Thing[] = []
  const pool = new Pool<Thing>({
    ...DEFAULTS,
    open: async () => {
      const thing = new Thing()
      things.push(thing)
      return thing
    },
    close: async thing => {
      thing.closed = true
    },
    ...options,
  })
  return { pool, things }
}

describe('lending', () => {
  test('what was given back last is lent next', async () => {
    const { pool, things } = poolOf()
    const [first, second] = [await pool.acquire(), await pool.acquire()]
    pool.release(first)
    pool.release(second)
    assert.equal(await pool.acquire(), second)
    assert.equal(things.length, 2)
    await pool.close(0)
  })

  test('callers beyond max wait and are served in the order they came', async () => {
    const { pool } = poolOf({ max: 1 })
    const held = await pool.acquire()
    const order: number[] = []
    const waits = [1, 2, 3].map(async number => {
      const thing = await pool.acquire()
      order.push(number)
      pool.release(thing)
    })
    pool.release(held)
    await Promise.all(waits)
    assert.deepEqual(order, [1, 2, 3])
    await pool.close(0)
  })

  test('the line is bounded: the next caller is refused with 503 and Retry-After', async () => {
    const { pool } = poolOf({ max: 1, maxWaiting: 1 })
    const held = await pool.acquire()
    const waiting = pool.acquire() as Promise<Thing>
    assert.throws(
      () => pool.acquire(),
      (error: PoolFullError) =>
        error instanceof PoolFullError &&
        error.code === 'POSTGRES_POOL_FULL' &&
        error.status === 503 &&
        error.retryAfterMs! > 0,
    )
    pool.release(held)
    pool.release(await waiting)
    await pool.close(0)
  })

  test('a wait ends at its time-out, and the place in the line is free again', async () => {
    const { pool } = poolOf({ max: 1, acquireTimeoutMs: 5 })
    const held = await pool.acquire()
    await assert.rejects(async () => pool.acquire(), { code: 'POSTGRES_POOL_WAIT', status: 503 })
    assert.equal(pool.state.waiting, 0)
    pool.release(held)
    await pool.close(0)
  })

  test('a caller that aborts leaves the line with its own reason, and takes nothing with it', async () => {
    const { pool } = poolOf({ max: 1 })
    const held = await pool.acquire()
    const gone = new AbortController()
    const waiting = pool.acquire(gone.signal) as Promise<Thing>
    const reason = new Error('client left')
    gone.abort(reason)
    await assert.rejects(waiting, error => error === reason)
    assert.equal(pool.state.waiting, 0)
    pool.release(held)
    assert.equal(await pool.acquire(), held)
    await pool.close(0)
  })

  test('an aborted signal is refused before anything is lent', async () => {
    const { pool, things } = poolOf()
    assert.throws(() => pool.acquire(AbortSignal.abort(new Error('late'))), /late/)
    assert.equal(things.length, 0)
    await pool.close(0)
  })
})

describe('when opening fails', () => {
  const down = new DatabaseUnavailableError('down')

  test('all who wait are told at once, by one attempt, and newcomers for a moment too', async () => {
    let attempts = 0
    const { pool } = poolOf({
      max: 1,
      retryAfterMs: 10_000,
      open: async () => {
        attempts++
        await turn()
        throw down
      },
    })
    const waits = [pool.acquire(), pool.acquire(), pool.acquire()] as Promise<Thing>[]
    for (const result of await Promise.allSettled(waits))
      assert.equal(result.status === 'rejected' && result.reason, down)
    assert.throws(
      () => pool.acquire(),
      error => error === down,
    )
    assert.equal(attempts, 1)
    await pool.close(0)
  })

  test('the next attempt after that moment succeeds without further ado', async () => {
    let up = false
    const { pool } = poolOf({ open: async () => (up ? new Thing() : Promise.reject(down)) })
    await assert.rejects(async () => pool.acquire())
    up = true
    await sleep(5)
    assert.ok((await pool.acquire()) instanceof Thing)
    await pool.close(0)
  })

  test('those who wait are served by what is already open', async () => {
    let first = true
    const { pool } = poolOf({
      open: async () => {
        if (!first) throw down
        first = false
        return new Thing()
      },
    })
    const held = await pool.acquire()
    const waiting = pool.acquire() as Promise<Thing>
    await turn()
    pool.release(held)
    assert.equal(await waiting, held)
    await pool.close(0)
  })
})

describe('ageing', () => {
  test('idle things above min are closed', async () => {
    const { pool, things } = poolOf({ idleTimeoutMs: 10, min: 1 })
    const lent = [await pool.acquire(), await pool.acquire()]
    for (const thing of lent) pool.release(thing)
    while (pool.state.open > 1) await sleep(5)
    assert.deepEqual(things.map(thing => thing.closed).sort(), [false, true])
    await pool.close(0)
  })

  test('a time-out of months is waited for, and not looked at without end', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error) => void warnings.push(warning)
    process.on('warning', onWarning)
    const { pool } = poolOf({ idleTimeoutMs: 1e10, maxLifetimeMs: 1e10 })
    pool.release(await pool.acquire())
    // Warnings come in a later turn.
    await new Promise(resolve => setImmediate(resolve))
    process.off('warning', onWarning)
    assert.deepEqual(warnings, [])
    assert.equal(pool.state.idle, 1)
  })

  test('a thing that is too old is closed when it comes back', async () => {
    const { pool } = poolOf({ maxLifetimeMs: 1 })
    const thing = await pool.acquire()
    await sleep(5)
    pool.release(thing)
    assert.ok(thing.closed)
    assert.equal(pool.state.open, 0)
    await pool.close(0)
  })

  test('a discarded thing is replaced when somebody waits, and giving it back later changes nothing', async () => {
    const { pool } = poolOf({ max: 1 })
    const first = await pool.acquire()
    const waiting = pool.acquire() as Promise<Thing>
    pool.discard(first)
    const second = await waiting
    assert.notEqual(second, first)
    pool.release(first)
    assert.deepEqual(pool.state, { open: 1, idle: 0, waiting: 0, max: 1 })
    pool.release(second)
    await pool.close(0)
  })
})

describe('resizing', () => {
  test('closes what is idle and too many at once, and what is lent when it comes back', async () => {
    const { pool, things } = poolOf({ max: 4 })
    const lent = await Promise.all([1, 2, 3, 4].map(async () => pool.acquire()))
    pool.release(lent[0]!)
    pool.resize({ max: 2, maxWaiting: 10 })
    assert.deepEqual([pool.state.open, pool.state.idle, pool.state.max], [3, 0, 2])
    pool.release(lent[1]!)
    assert.equal(pool.state.open, 2)
    pool.release(lent[2]!)
    pool.release(lent[3]!)
    assert.deepEqual([pool.state.open, pool.state.idle], [2, 2])
    assert.equal(things.filter(({ closed }) => closed).length, 2)
    await pool.close(0)
  })

  test('to more serves those who wait', async () => {
    const { pool } = poolOf({ max: 1 })
    const first = await pool.acquire()
    const second = pool.acquire()
    pool.resize({ max: 2, maxWaiting: 10 })
    assert.notEqual(await second, first)
    await pool.close(0)
  })
})

describe('closing', () => {
  test('waits for what is lent, refuses newcomers and those in line', async () => {
    const { pool } = poolOf({ max: 1 })
    const held = await pool.acquire()
    const waiting = assert.rejects(pool.acquire() as Promise<Thing>, DatabaseUnavailableError)
    let closed = false
    const closing = pool.close(10_000).then(() => (closed = true))
    await waiting
    assert.throws(() => pool.acquire(), DatabaseUnavailableError)
    await turn()
    assert.equal(closed, false)
    pool.release(held)
    await closing
    assert.ok(held.closed)
  })

  test('closes what is still lent after its patience', async () => {
    const { pool } = poolOf()
    const held = await pool.acquire()
    await pool.close(5)
    assert.ok(held.closed)
  })
})

// Random histories of callers that use, break, abandon and time out, against servers that sometimes refuse.
test('never more than max are open, nobody is served twice, nobody is lost', async () => {
  const caller = fc.record({
    startTurns: fc.nat(6),
    useTurns: fc.nat(4),
    abortTurns: fc.option(fc.nat(6), { nil: undefined }),
    breaks: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.array(caller, { maxLength: 25 }),
      fc.array(fc.boolean(), { maxLength: 8 }),
      async (max, callers, refusals) => {
        let open = 0
        const inUse = new Set<Thing>()
        const pool = new Pool<Thing>({
          ...DEFAULTS,
          max,
          maxWaiting: 12,
          retryAfterMs: 0,
          where: 'a pool',
          open: async () => {
            open++
            assert.ok(open <= max, `${open} open, at most ${max} allowed`)
            await turn()
            if (!refusals.shift()) return new Thing()
            open--
            throw new DatabaseUnavailableError('refused')
          },
          close: async thing => {
            open--
            thing.closed = true
          },
        })
        const turns = async (count: number): Promise<void> => {
          for (let index = 0; index < count; index++) await turn()
        }
        await Promise.all(
          callers.map(async ({ startTurns, useTurns, abortTurns, breaks }) => {
            const gone = new AbortController()
            await turns(startTurns)
            if (abortTurns !== undefined) void turns(abortTurns).then(() => gone.abort(new Error('gone')))
            let thing: Thing
            try {
              thing = await pool.acquire(gone.signal)
            } catch (error) {
              assert.match((error as Error).message, /gone|refused|lent/)
              return
            }
            assert.ok(!inUse.has(thing), 'lent twice')
            assert.ok(!thing.closed, 'lent although closed')
            inUse.add(thing)
            await turns(useTurns)
            inUse.delete(thing)
            if (breaks) pool.discard(thing)
            else pool.release(thing)
          }),
        )
        const { state } = pool
        assert.equal(state.waiting, 0)
        assert.equal(state.idle, state.open, 'something is lent to nobody')
        await pool.close(0)
        assert.equal(open, 0)
      },
    ),
    { numRuns: 150 },
  )
})
