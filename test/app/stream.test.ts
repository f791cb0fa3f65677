import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { App } from 'millrace'
import { duplexPair, testClient } from 'millrace/testing'
import { Engine } from '../../src/http/engine.ts'
import { onEachSeam, silent } from './support/seams.ts'

const endless = (cancel: (reason: unknown) => void = () => {}) =>
  new ReadableStream<Uint8Array<ArrayBuffer>>({ pull: to => to.enqueue(new Uint8Array(16 * 1024)), cancel })

describe('streamed answers', () => {
  onEachSeam(
    'a stream that fails after its head cuts the answer, so that a part does not pass for the whole',
    () => {
      const app = new App({ log: silent })
      let n = 0
      const pull = (to: ReadableStreamDefaultController) => {
        if (n++ > 0) throw new Error('source failed in the middle')
        to.enqueue(new TextEncoder().encode('part'))
      }
      app.get('/', () => new Response(new ReadableStream({ pull })))
      return app
    },
    async ask => {
      const answer = await ask('/')
      assert.equal(answer.status, 200)
      await assert.rejects(answer.text())
    },
  )

  onEachSeam(
    'one that yields neither bytes nor strings is cut as well',
    () => {
      const app = new App({ log: silent })
      app.get('/', () => new Response(new ReadableStream({ pull: to => to.enqueue({ not: 'bytes' }) })))
      return app
    },
    async ask => {
      await assert.rejects(async () => (await ask('/')).text())
    },
  )

  test('a client that stops reading and goes cancels the source', async () => {
    for (const open of ['fetch', 'engine'] as const) {
      const { promise: cancelled, resolve: cancel } = Promise.withResolvers<unknown>()
      const app = new App({ log: silent })
      app.get('/', () => new Response(endless(cancel)))
      const client = testClient(app)
      const answer = await (open === 'fetch' ? app.fetch(new Request('http://a/')) : client.fetch('/'))
      const reader = answer.body!.getReader()
      await reader.read()
      await reader.cancel()
      await cancelled
      await client.close()
    }
  })

  test('is read no faster than the client takes it', async () => {
    for (const open of ['fetch', 'engine'] as const) {
      let pulled = 0
      const app = new App({ log: silent })
      const pull = (to: ReadableStreamDefaultController) => {
        pulled++
        to.enqueue(new Uint8Array(64 * 1024))
      }
      app.get('/', () => new Response(new ReadableStream({ pull }, { highWaterMark: 0 })))
      const client = testClient(app)
      const answer = await (open === 'fetch' ? app.fetch(new Request('http://a/')) : client.fetch('/'))
      const reader = answer.body!.getReader()
      await reader.read()
      for (let n = 0; n < 200; n++) await new Promise(resolve => setImmediate(resolve))
      assert.ok(pulled < 100, `${pulled} pieces read for a client that took one`)
      await reader.cancel()
      await client.close()
    }
  })
})

describe('a client that closes its side while its request is open', () => {
  test('aborts the signal, and what the handler makes of that is no error in the log', async () => {
    const errors: unknown[] = []
    const told = Promise.withResolvers<void>()
    const log = { ...silent, error: (of: unknown) => (errors.push(of), told.resolve()), debug: () => told.resolve() }
    const app = new App({ log })
    const entered = Promise.withResolvers<void>()
    app.get('/', ({ signal }) => {
      entered.resolve()
      return new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(new Error('query cancelled'))),
      )
    })
    const started = await app.start()
    const engine = new Engine(started.handler)
    const [ours, theirs] = duplexPair()
    engine.accept(theirs)
    ours.resume()
    ours.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await entered.promise
    ours.end()
    await told.promise
    assert.deepEqual(errors, [])
    if (!ours.closed) await once(ours, 'close')
    engine.close()
    await started.stop(100)
  })
})
