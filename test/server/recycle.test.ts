import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createLogger } from '../../src/observe/logger.ts'
import { NO_COUNTS } from '../../src/server/counters.ts'
import { StartError } from '../../src/server/errors.ts'
import { EXIT } from '../../src/server/exit-codes.ts'
import { workerShare } from '../../src/server/memory-share.ts'
import { type Recyclable, type RecycleLimits, Recycling } from '../../src/server/recycle.ts'

const NO_LIMITS: RecycleLimits = { maxRequests: null, maxRequestsJitter: 0, maxAgeMs: null, maxBytes: null }

interface Slot {
  readonly number: number
  current: Recyclable
}

/** Two slots whose workers are as the test says, and a clock that it moves. */
function crewOf(limits: Partial<RecycleLimits>, facts: { random?: () => number; fails?: () => boolean } = {}) {
  const slots: Slot[] = []
  const lines: string[] = []
  const replaced: number[] = []
  const clock = { nowMs: 0 }
  let pid = 100
  const worker = (number: number): Recyclable => ({
    number,
    pid: pid++,
    state: 'ready',
    readyAtMs: clock.nowMs,
    counters: NO_COUNTS,
  })
  for (const number of [1, 2]) slots.push({ number, current: worker(number) })
  const recycling = new Recycling<Slot>({
    limits: () => ({ ...NO_LIMITS, ...limits }),
    replace: async slot => {
      if (facts.fails?.() === true) throw new StartError('WORKER_ENDED', EXIT.app, 'it threw')
      replaced.push(slot.number)
      slot.current = worker(slot.number)
      return 1
    },
    log: () => createLogger({ format: 'lines', write: line => lines.push(line) }),
    nowMs: () => clock.nowMs,
    random: facts.random ?? (() => 0),
  })
  return {
    slots,
    lines,
    replaced,
    clock,
    recycling,
    /** The same worker has answered so many by now. */
    serve(index: number, requests: number, rssBytes = 0) {
      Object.assign(slots[index]!.current, {
        counters: { ...NO_COUNTS, requests: [0, 0, requests, 0, 0, 0], rssBytes },
      })
    },
    async look() {
      recycling.look(slots)
      await new Promise(setImmediate)
    },
  }
}

describe('recycling', () => {
  test('a worker is due at its requests, and its successor starts from nothing', async () => {
    const crew = crewOf({ maxRequests: 10 })
    crew.serve(1, 9)
    await crew.look()
    assert.deepEqual(crew.replaced, [])
    crew.serve(1, 10)
    await crew.look()
    await crew.look()
    assert.deepEqual(crew.replaced, [2])
    assert.deepEqual(crew.recycling.counts, { requests: 1, age: 0, memory: 0 })
    assert.match(crew.lines[0]!, /worker 2 \(pid 101\) has answered 10 requests and is replaced/)
  })

  test('a jitter gives each worker up to so many more, drawn once', async () => {
    const draws = [0.999, 0]
    const crew = crewOf({ maxRequests: 10, maxRequestsJitter: 5 }, { random: () => draws.shift() ?? 0.5 })
    crew.serve(0, 14)
    crew.serve(1, 9)
    await crew.look()
    assert.deepEqual(crew.replaced, [])
    crew.serve(0, 15)
    crew.serve(1, 10)
    await crew.look()
    await crew.look()
    assert.deepEqual(crew.replaced, [1, 2])
  })

  test('at its age, one worker at a look', async () => {
    const crew = crewOf({ maxAgeMs: 60_000 })
    crew.clock.nowMs = 59_999
    await crew.look()
    assert.deepEqual(crew.replaced, [])
    crew.clock.nowMs = 60_000
    await crew.look()
    assert.deepEqual(crew.replaced, [1])
    await crew.look()
    assert.deepEqual(crew.replaced, [1, 2])
    assert.equal(crew.recycling.counts.age, 2)
  })

  test('for memory only after a rest, which grows while fresh workers are over the limit at once', async () => {
    const crew = crewOf({ maxBytes: 1000 })
    const times: number[] = []
    for (crew.clock.nowMs = 0; crew.clock.nowMs <= 200_000; crew.clock.nowMs += 1000) {
      crew.serve(0, 0, 2000)
      const before = crew.replaced.length
      await crew.look()
      if (crew.replaced.length > before) times.push(crew.clock.nowMs / 1000)
    }
    assert.deepEqual(times, [5, 15, 35, 75, 155])
    assert.match(crew.lines.join(''), /grows over maxWorkerMemory again and again/)
  })

  test('a replacement that fails leaves the old one, and is tried again ever more slowly', async () => {
    let fails = true
    const crew = crewOf({ maxRequests: 1 }, { fails: () => fails })
    crew.serve(0, 1)
    const times: number[] = []
    for (; crew.clock.nowMs < 30_000; crew.clock.nowMs += 250) {
      const before = crew.lines.length
      await crew.look()
      if (crew.lines.length > before) times.push(crew.clock.nowMs / 1000)
    }
    assert.deepEqual(times.slice(0, 7), [0, 1, 2, 3, 4, 6, 10])
    assert.match(
      crew.lines[1]!,
      /worker 1 \(pid 100\) is kept, because the next one did not start; tried again in 1 s: it threw/,
    )
    fails = false
    crew.clock.nowMs += 10_000
    await crew.look()
    assert.deepEqual(crew.replaced, [1])
  })

  test('a worker that drains or starts is left alone', async () => {
    const crew = crewOf({ maxRequests: 1 })
    crew.serve(0, 5)
    for (const state of ['starting', 'loaded', 'draining', 'gone'] as const) {
      crew.slots[0]!.current = { ...crew.slots[0]!.current, state }
      await crew.look()
    }
    assert.deepEqual(crew.replaced, [])
  })
})

test('the share of a worker leaves room for the supervisor, and for one more beside all that are wanted', () => {
  const gib = 1024 ** 3
  assert.equal(workerShare(3, gib), Math.floor((0.8 * (gib - 64 * 1024 ** 2)) / 4))
  assert.ok(5 * workerShare(4, gib) < gib)
  assert.equal(workerShare(2, 1000), 0)
})
