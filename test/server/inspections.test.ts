import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Inspections } from '../../src/server/inspections.ts'
import type { ToWorker } from '../../src/server/messages.ts'

function worker(number: number) {
  const told: ToWorker[] = []
  return { number, pid: 100 + number, told, send: (message: ToWorker) => void told.push(message) }
}

const snapshot = { what: 'heap-snapshot', file: '/tmp/a' } as const
const profile = { what: 'cpu-profile', file: '/tmp/a', seconds: 1 } as const

describe('an inspection', () => {
  test('is answered with what the worker has written, or with why it has not', async () => {
    const inspections = new Inspections<ReturnType<typeof worker>>()
    const one = worker(1)
    const written = inspections.ask(one, profile)
    assert.deepEqual(one.told, [{ type: 'inspect', id: 1, order: profile }])
    inspections.answered({ type: 'inspected', id: 1, bytes: 7 })
    assert.equal(await written, 7)
    const failed = inspections.ask(one, profile)
    inspections.answered({ type: 'inspected', id: 2, failure: { code: 'CONTROL_FILE', message: 'no', exitCode: 3 } })
    await assert.rejects(failed, { code: 'CONTROL_FILE', message: 'no' })
    // Of one that nobody waits for any more.
    inspections.answered({ type: 'inspected', id: 1, bytes: 9 })
  })

  test('of a heap excuses a worker for its silence, and nobody else, from when it has begun until it is over', async () => {
    const inspections = new Inspections<ReturnType<typeof worker>>()
    const [one, other] = [worker(1), worker(2)]
    const taken = inspections.ask(one, snapshot)
    const profiled = inspections.ask(other, profile)
    // One that hangs has not read that it is to stand still.
    assert.deepEqual([inspections.excuses(one), inspections.excuses(other)], [false, false])
    inspections.began({ type: 'inspecting', id: 1 })
    inspections.began({ type: 'inspecting', id: 2 })
    assert.deepEqual([inspections.excuses(one), inspections.excuses(other)], [true, false])
    inspections.answered({ type: 'inspected', id: 1, bytes: 1 })
    inspections.answered({ type: 'inspected', id: 2, bytes: 1 })
    await Promise.all([taken, profiled])
    assert.equal(inspections.excuses(one), false)
  })

  test('is refused while there is one of the same worker', async () => {
    const inspections = new Inspections<ReturnType<typeof worker>>()
    const one = worker(1)
    const taken = inspections.ask(one, snapshot)
    await assert.rejects(inspections.ask(one, profile), { code: 'CONTROL_BUSY' })
    assert.equal(one.told.length, 1)
    inspections.gone(one)
    await assert.rejects(taken, {
      code: 'CONTROL_NO_ANSWER',
      message: 'worker 1 (pid 101) has ended before it was done',
    })
  })

  test('of a worker that does not answer in time is given up', async context => {
    context.mock.timers.enable({ apis: ['setTimeout'] })
    const inspections = new Inspections<ReturnType<typeof worker>>()
    const profiled = inspections.ask(worker(1), profile)
    context.mock.timers.tick(31_000)
    await assert.rejects(profiled, { code: 'CONTROL_NO_ANSWER', message: /does not answer: its event loop is blocked/ })
  })
})
