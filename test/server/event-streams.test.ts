// Streams of events on a server: kept alive while nothing happens, ended by a drain, their clients spread over those that stay.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { App, event, events } from 'millrace'
import { serve } from 'millrace/server'

const local = { host: '127.0.0.1', port: 0, signals: false, logLevel: 'error' } as const

async function reading(url: string): Promise<{ next(): Promise<string | undefined>; response: Response }> {
  const response = await fetch(url, { headers: { connection: 'close' } })
  const reader = response.body!.getReader()
  return {
    response,
    async next() {
      const { done, value } = await reader.read()
      return done ? undefined : Buffer.from(value).toString()
    },
  }
}

describe('a stream of events', () => {
  test('is kept alive by pings while nothing happens', async () => {
    const app = new App()
    const end = Promise.withResolvers<void>()
    app.get('/', { returns: events(z.int(), { ping: '1s' }) }, async function* () {
      yield 1
      await end.promise
    })
    const server = await serve(app, local)
    const stream = await reading(server.url)
    assert.equal(await stream.next(), 'data: 1\n\n')
    assert.equal(await stream.next(), ': ping\n\n')
    assert.equal(await stream.next(), ': ping\n\n')
    end.resolve()
    assert.equal(await stream.next(), undefined)
    await server.close()
  })

  test('ends on a drain: with a retry, whole, and long before the grace time is over', async () => {
    const app = new App()
    const ended: unknown[] = []
    app.get('/', { returns: events(z.int()) }, async function* ({ signal }) {
      try {
        yield event(1, { id: 1 })
        await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
      } finally {
        ended.push((signal.reason as { code: string }).code)
      }
    })
    const server = await serve(app, { ...local, graceTimeout: '60s' })
    const streams = await Promise.all(Array.from({ length: 20 }, () => reading(server.url)))
    for (const stream of streams) assert.equal(await stream.next(), 'data: 1\nid: 1\n\n')
    const beganMs = performance.now()
    const closed = server.close()
    const retries = new Set<string>()
    for (const stream of streams) {
      const last = await stream.next()
      assert.match(last ?? '', /^retry: [1-4]\d{3}\n\n$/)
      retries.add(last!)
      assert.equal(await stream.next(), undefined)
    }
    await closed
    assert.ok(performance.now() - beganMs < 30_000)
    assert.ok(retries.size > 1, 'all would come back at once')
    assert.deepEqual(
      ended,
      Array.from({ length: 20 }, () => 'APP_STREAM_ENDED'),
    )
  })

  test('whose client goes away is no error in the log', async () => {
    const logged: unknown[] = []
    const log = { debug() {}, info() {}, warn() {}, error: (...of: unknown[]) => logged.push(of) }
    const app = new App({ log })
    const left = Promise.withResolvers<void>()
    app.get('/', { returns: events(z.int()) }, async function* ({ signal }) {
      try {
        yield 1
        await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
      } finally {
        left.resolve()
      }
    })
    const server = await serve(app, local)
    const going = new AbortController()
    const answer = await fetch(server.url, { signal: going.signal })
    await answer.body!.getReader().read()
    going.abort()
    await left.promise
    await server.close()
    assert.deepEqual(logged, [])
  })
})
