import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import * as z from 'zod'
import { App, event, events, jsonLines, text } from 'millrace'
import { testClient } from 'millrace/testing'

describe('the test client reads', () => {
  const app = new App()
  const ended = Promise.withResolvers<void>()
  const lines = app.get('/lines', { returns: jsonLines(z.object({ n: z.int() })) }, async function* () {
    yield { n: 1 }
    yield { n: 2 }
  })
  const ticks = app.get('/ticks', { returns: events(z.int()) }, async function* () {
    try {
      for (let n = 1; ; n++) {
        yield event(n, { id: n, event: 'tick' })
        await new Promise(resolve => setImmediate(resolve))
      }
    } finally {
      ended.resolve()
    }
  })
  const words = app.get('/words', { returns: events(text) }, async function* () {
    yield '1'
    yield event('two\nlines', { event: 'last' })
  })
  const api = testClient(app)
  after(() => api.close())

  test('JSON lines item by item', async () => {
    const { status, body } = await api.call(lines)
    assert.equal(status, 200)
    const found: number[] = []
    for await (const { n } of body as AsyncIterable<{ n: number }>) found.push(n)
    assert.deepEqual(found, [1, 2])
  })

  test('events with their fields, and ends the stream by leaving the loop', async () => {
    const answer = await api.call(ticks)
    assert.ok(answer.status === 200)
    for await (const tick of answer.body) {
      assert.deepEqual(tick, { data: Number(tick.id), event: 'tick', id: tick.id })
      if (tick.data === 3) break
    }
    await ended.promise
  })

  test('data that is text as text', async () => {
    const answer = await api.call(words)
    assert.ok(answer.status === 200)
    const found = []
    for await (const word of answer.body) found.push(word)
    assert.deepEqual(found, [{ data: '1' }, { data: 'two\nlines', event: 'last' }])
  })
})
