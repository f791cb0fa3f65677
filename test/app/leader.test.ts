import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, mock, test } from 'node:test'
import { App, counter, type Leader, Router } from 'millrace'
import { silent } from './support/seams.ts'

const turn = () => new Promise(resolve => setImmediate(resolve))

describe("an app's leader", () => {
  test('alone in its process, it runs from the start to the end of the app, those of routers with it', async () => {
    const notes: string[] = []
    const noting =
      (name: string): Leader =>
      async ({ signal, log }) => {
        assert.equal(log, silent)
        notes.push(`${name} begins`)
        await new Promise(resolve => signal.addEventListener('abort', resolve))
        notes.push(`${name} ends`)
      }
    const app = new App({
      log: silent,
      leader: noting('app'),
      async *lifespan() {
        notes.push('lifespan begins')
        yield
        notes.push('lifespan ends')
      },
    })
    app.include(new Router({ leader: noting('router') }))
    app.manifest()
    await turn()
    assert.deepEqual(notes, [])
    const started = await app.start()
    await turn()
    started.leave()
    await started.stop(1000)
    assert.deepEqual(notes, [
      'lifespan begins',
      'app begins',
      'router begins',
      'app ends',
      'router ends',
      'lifespan ends',
    ])
  })

  test('one that throws is told, and started again, ever later; one that returns is done', async context => {
    context.mock.timers.enable({ apis: ['setTimeout'] })
    const error = mock.fn()
    let begun = 0
    const listening: number[] = []
    const app = new App({
      log: { ...silent, error },
      leader: ({ signal }) => {
        begun++
        listening.push(getEventListeners(signal, 'abort').length)
        if (begun < 3) throw new Error('not yet')
      },
    })
    const started = await app.start()
    await turn()
    assert.equal(begun, 1)
    assert.match(String(error.mock.calls[0]?.arguments[1]), /it starts again in 1 s/)
    context.mock.timers.tick(1000)
    await turn()
    assert.equal(begun, 2)
    context.mock.timers.tick(1999)
    await turn()
    assert.equal(begun, 2)
    context.mock.timers.tick(1)
    await turn()
    assert.equal(begun, 3)
    context.mock.timers.tick(100_000)
    await turn()
    assert.equal(begun, 3)
    // No pause that is over listens on.
    assert.equal(new Set(listening).size, 1, listening.join())
    context.mock.timers.reset()
    await started.stop(1000)
  })

  test('one that does not end is left behind when the time to stop is over', async () => {
    const warn = mock.fn()
    const app = new App({ log: { ...silent, warn }, leader: () => new Promise<void>(() => {}) })
    const started = await app.start()
    await turn()
    await started.stop(20)
    assert.match(String(warn.mock.calls[0]?.arguments[0]), /^the leader's task has not ended within \d+ ms/)
  })
})

describe('a counter', () => {
  test('counts by its name, whoever made it', async () => {
    assert.equal(await counter('orders of the test').add(), 1)
    assert.equal(await counter('orders of the test').add(4), 5)
    assert.equal(await counter('orders of the test').value(), 5)
    assert.equal(await counter('another of the test').value(), 0)
  })

  test('starts anew after its window', async context => {
    const attempts = counter('attempts of the test', { window: 20 })
    assert.equal(await attempts.add(), 1)
    context.mock.method(performance, 'now', () => 1e9)
    assert.equal(await attempts.add(), 1)
  })

  test('what is no count and no window is refused', async () => {
    await assert.rejects(counter('x').add(0.5), {
      code: 'APP_BAD_COUNT',
      message: 'counter x: 0.5 is not a whole number',
    })
    assert.throws(() => counter('x', { window: 'soon' as '1s' }), {
      code: 'CORE_BAD_DURATION',
      message: /counter x window/,
    })
  })
})
