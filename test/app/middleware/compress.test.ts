import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { describe, test } from 'node:test'
import { brotliDecompressSync, createGunzip, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { App } from 'millrace'
import { compress, type CompressOptions } from 'millrace/middleware'
import { serve } from 'millrace/server'

const LONG = JSON.stringify(Array.from({ length: 200 }, (_, id) => ({ id, name: `Product ${id}` })))
const DECODERS = { gzip: gunzipSync, br: brotliDecompressSync, zstd: zstdDecompressSync } as const

/** An app whose one route answers with this. */
function answering(response: () => Response, options?: CompressOptions): App {
  const app = new App({ use: [compress(options)] })
  app.get('/', () => response())
  return app
}
function text(body: string, headers: Record<string, string> = {}): () => Response {
  return () => new Response(body, { headers: { 'content-type': 'application/json', ...headers } })
}
function ask(app: App, accepts?: string, method = 'GET'): Promise<Response> {
  const headers: Record<string, string> = accepts === undefined ? {} : { 'accept-encoding': accepts }
  return app.fetch(new Request('http://api.test/', { method, headers }))
}
async function bytesOf(answer: Response): Promise<Buffer> {
  return Buffer.from(await answer.arrayBuffer())
}

describe('compress()', () => {
  test('sends what the client likes best, smaller, and the same when decoded', async () => {
    const app = new App({ use: [compress()] })
    app.get('/', () => JSON.parse(LONG) as unknown)
    for (const coding of ['gzip', 'br', 'zstd'] as const) {
      const answer = await ask(app, coding)
      const bytes = await bytesOf(answer)
      assert.equal(answer.headers.get('content-encoding'), coding)
      assert.equal(answer.headers.get('content-length'), String(bytes.byteLength))
      assert.ok(bytes.byteLength < LONG.length / 4)
      assert.equal(DECODERS[coding](bytes).toString(), LONG)
    }
    assert.equal((await ask(app, 'gzip, deflate, br, zstd')).headers.get('content-encoding'), 'zstd')
  })

  test('compresses bodies of every size the same, on the loop or on the thread pool', async () => {
    for (const length of [1024, 32 * 1024, 32 * 1024 + 1, 300_000]) {
      const body = 'abcdefghij'.repeat(length / 10 + 1).slice(0, length)
      const app = new App({ use: [compress()] })
      app.get('/', ({ reply }) => reply(200, body))
      const answer = await ask(app, 'gzip')
      assert.equal(answer.headers.get('content-encoding'), 'gzip')
      assert.equal(JSON.parse(gunzipSync(await bytesOf(answer)).toString()), body)
    }
  })

  test('leaves answers alone that are small, and says that others may differ', async () => {
    const app = answering(text('x'.repeat(1023)))
    const app2 = new App({ use: [compress()] })
    app2.get('/', () => 'y'.repeat(1000))
    const answer = await ask(app2, 'gzip')
    assert.equal(answer.headers.get('content-encoding'), null)
    assert.equal(answer.headers.get('vary'), 'Accept-Encoding')
    assert.equal((await ask(app, 'gzip, identity;q=0')).headers.get('content-encoding'), 'gzip', 'plain was refused')
    const eager = new App({ use: [compress({ thresholdBytes: 10 })] })
    eager.get('/', () => 'z'.repeat(20))
    assert.equal((await ask(eager, 'gzip')).headers.get('content-encoding'), 'gzip')
  })

  test('sends it plain to who does not ask, with the same Vary', async () => {
    for (const accepts of [undefined, 'identity', 'gzip;q=0', 'deflate']) {
      const answer = await ask(answering(text(LONG)), accepts)
      assert.equal(answer.headers.get('content-encoding'), null)
      assert.equal(answer.headers.get('vary'), 'Accept-Encoding')
      assert.equal(await answer.text(), LONG)
    }
  })

  const left: [why: string, response: () => Response][] = [
    ['already encoded', text(LONG, { 'content-encoding': 'br' })],
    ['marked no-transform', text(LONG, { 'cache-control': 'public, no-transform' })],
    ['an image', text(LONG, { 'content-type': 'image/png' })],
    ['an archive', text(LONG, { 'content-type': 'application/zip' })],
    ['an event stream', text(LONG, { 'content-type': 'text/event-stream' })],
    ['of no known type', () => new Response(Buffer.from(LONG))],
    ['a range', () => new Response(LONG, { status: 206, headers: { 'content-type': 'text/plain' } })],
    ['without a body', () => new Response(null, { status: 204 })],
    ['not modified', () => new Response(null, { status: 304, headers: { etag: '"a"' } })],
  ]
  for (const [why, response] of left)
    test(`leaves an answer alone that is ${why}`, async () => {
      const before = response()
      const answer = await ask(answering(response), 'gzip, identity;q=0')
      assert.equal(answer.headers.get('content-encoding'), before.headers.get('content-encoding'))
      assert.equal(answer.headers.get('vary'), null)
      assert.equal(answer.status, before.status)
    })

  test('never compresses twice, also when it stands there twice', async () => {
    const app = new App({ use: [compress(), compress()] })
    app.get('/', () => JSON.parse(LONG) as unknown)
    assert.equal(gunzipSync(await bytesOf(await ask(app, 'gzip'))).toString(), LONG)
  })

  test('weakens a strong tag, keeps a weak one, and takes Accept-Ranges back', async () => {
    const strong = await ask(answering(text(LONG, { etag: '"abc"', 'accept-ranges': 'bytes' })), 'gzip')
    assert.equal(strong.headers.get('etag'), 'W/"abc"')
    assert.equal(strong.headers.get('accept-ranges'), null)
    assert.equal((await ask(answering(text(LONG, { etag: 'W/"abc"' })), 'gzip')).headers.get('etag'), 'W/"abc"')
    assert.equal((await ask(answering(text(LONG, { etag: '"abc"' })), 'identity')).headers.get('etag'), '"abc"')
  })

  test('keeps a Vary that is there', async () => {
    const answer = await ask(answering(text(LONG, { vary: 'Origin' })), 'gzip')
    assert.equal(answer.headers.get('vary'), 'Origin, Accept-Encoding')
    assert.equal((await ask(answering(text(LONG, { vary: '*' })), 'gzip')).headers.get('vary'), '*')
  })

  test('answers HEAD as it answers GET, without the body', async () => {
    const app = new App({ use: [compress()] })
    app.get('/', () => JSON.parse(LONG) as unknown)
    const get = await ask(app, 'br')
    const head = await ask(app, 'br', 'HEAD')
    for (const name of ['content-encoding', 'content-length', 'vary', 'content-type'])
      assert.equal(head.headers.get(name), get.headers.get(name), name)
    assert.equal((await bytesOf(head)).byteLength, 0)
  })

  test('compresses errors too', async () => {
    const app = new App({ use: [compress({ thresholdBytes: 0 })] })
    const answer = await ask(app, 'gzip')
    assert.equal(answer.status, 404)
    assert.equal((JSON.parse(gunzipSync(await bytesOf(answer)).toString()) as { status: number }).status, 404)
  })

  test('refuses options that make no sense', () => {
    assert.throws(() => compress({ thresholdBytes: -1 }), { code: 'COMPRESS_BAD_OPTIONS' })
    assert.throws(() => compress({ thresholdBytes: NaN }), { code: 'COMPRESS_BAD_OPTIONS' })
    assert.throws(() => compress({ codings: ['deflate' as 'gzip'] }), { code: 'COMPRESS_BAD_OPTIONS' })
  })
})

function streamOf(pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  // The DOM's types, which the web platform's Response comes with, do not know it yet.
  return (ReadableStream as unknown as { from(of: typeof pieces): ReadableStream<Uint8Array> }).from(pieces)
}

/** A stream whose pieces the test hands out, and which tells what happened to it. */
function handed() {
  let controller!: ReadableStreamDefaultController<Uint8Array>
  let cancelled!: (reason: unknown) => void
  const wasCancelled = new Promise<unknown>(resolve => (cancelled = resolve))
  const stream = new ReadableStream<Uint8Array>({
    start: c => {
      controller = c
    },
    cancel: reason => cancelled(reason),
  })
  return { stream, controller, wasCancelled }
}

async function overSocket(app: App, use: (answer: IncomingMessage) => Promise<void>, accepts = 'gzip'): Promise<void> {
  const server = await serve(app, { host: '127.0.0.1', port: 0, signals: false, logLevel: 'error' })
  try {
    const asked = httpRequest(server.url, { headers: { 'accept-encoding': accepts }, agent: false }).end()
    // After the head, what happens to the connection is told by the answer.
    asked.on('error', () => {})
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    await use(answer)
    asked.destroy()
  } finally {
    await server.close()
  }
}

describe('compress() of a stream', () => {
  test('sends each piece when it was written', async () => {
    const { stream, controller } = handed()
    const app = answering(() => new Response(stream, { headers: { 'content-type': 'text/plain' } }))
    controller.enqueue(Buffer.from('first'))
    await overSocket(app, async answer => {
      assert.equal(answer.headers['content-encoding'], 'gzip')
      assert.equal(answer.headers['content-length'], undefined)
      const plain = answer.pipe(createGunzip())
      for (const piece of ['first', 'second']) {
        const [got] = (await once(plain, 'data')) as [Buffer]
        assert.equal(got.toString(), piece)
        if (piece === 'first') controller.enqueue(Buffer.from('second'))
      }
      controller.close()
      await once(plain, 'end')
    })
  })

  for (const coding of ['gzip', 'br', 'zstd'] as const)
    test(`is whole in ${coding}, large pieces and empty ones included`, async () => {
      const pieces = ['', 'a'.repeat(500_000), '', 'b', LONG]
      const body = () => streamOf(pieces.map(piece => Buffer.from(piece)))
      const app = answering(() => new Response(body(), { headers: { 'content-type': 'text/csv' } }))
      assert.equal(DECODERS[coding](await bytesOf(await ask(app, coding))).toString(), pieces.join(''))
    })

  test('reads from its source only as fast as the client takes', async () => {
    let made = 0
    const { randomBytes } = await import('node:crypto')
    async function* endless() {
      for (;;) {
        made++
        yield randomBytes(64 * 1024)
        await new Promise(resolve => setImmediate(resolve))
      }
    }
    const app = answering(() => new Response(streamOf(endless()), { headers: { 'content-type': 'text/plain' } }))
    await overSocket(app, async answer => {
      answer.pause()
      let before = -1
      // Still for a tenth of a second: everything between us and the client is full.
      while (before !== made) {
        before = made
        await new Promise(resolve => setTimeout(resolve, 100))
      }
      assert.ok(made * 64 < 32 * 1024, `${made} pieces of 64 KiB were made for a client that reads nothing`)
      answer.destroy()
    })
  })

  test('cancels its source when the client goes away, and lets the server stop', { timeout: 20_000 }, async () => {
    const { stream, controller, wasCancelled } = handed()
    const app = answering(() => new Response(stream, { headers: { 'content-type': 'text/plain' } }))
    controller.enqueue(Buffer.from('first'))
    await overSocket(app, async answer => {
      await once(answer, 'data')
      answer.destroy()
      await wasCancelled
    })
  })

  test('cuts the connection when its source fails, so that nobody takes a part for the whole', async () => {
    const { stream, controller } = handed()
    const app = answering(() => new Response(stream, { headers: { 'content-type': 'text/plain' } }))
    controller.enqueue(Buffer.from('first'))
    await overSocket(app, async answer => {
      await once(answer, 'data')
      controller.error(new Error('source failed'))
      const [error] = (await once(answer, 'error')) as [NodeJS.ErrnoException]
      assert.equal(error.code, 'ECONNRESET')
    })
  })
})
