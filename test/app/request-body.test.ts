// The body of a request as a handler reads it itself, from `request`: over every seam, and over real sockets where the client's side counts.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { App } from 'millrace'
import * as z from 'zod'
import { BodyFeed } from '../../src/app/body-feed.ts'
import { Engine } from '../../src/http/engine.ts'
import { DEFAULT_LIMITS } from '../../src/http/limits.ts'
import { onEachSeam, silent } from './support/seams.ts'

const post = (body: BodyInit, headers: Record<string, string> = {}): RequestInit => ({ method: 'POST', body, headers })

interface Port {
  readonly port: number
  close(): Promise<void>
}

const opened: Port[] = []
afterEach(async () => {
  for (const port of opened.splice(0)) await port.close()
})

/** The seams that have sockets, each on a port of its own. */
const SOCKETS = {
  async engine(app: App): Promise<Port> {
    const started = await app.start()
    const engine = new Engine(started.handler)
    const server = createServer({ allowHalfOpen: true }, socket => engine.accept(socket)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return {
      port: (server.address() as AddressInfo).port,
      async close() {
        server.close()
        engine.close()
        await started.stop(1000)
      },
    }
  },
  async node(app: App): Promise<Port> {
    const server = createHttpServer(app.nodeHandler()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return {
      port: (server.address() as AddressInfo).port,
      async close() {
        server.close()
        server.closeAllConnections()
        await app.close(1000)
      },
    }
  },
}

const PIECE = Buffer.alloc(65_536, 0x61)
const TOTAL = 64 << 20

/** Sends 64 MiB as fast as the socket takes it. */
async function sendAll(socket: Socket): Promise<void> {
  socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${TOTAL}\r\nConnection: close\r\n\r\n`)
  for (let sent = 0; sent < TOTAL; sent += PIECE.length) if (!socket.write(PIECE)) await once(socket, 'drain')
}

describe('request.body', () => {
  onEachSeam(
    'is read whole in each of its forms',
    () => {
      const app = new App({ log: silent })
      app.post('/text', ({ request }) => request.text())
      app.post('/json', ({ request }) => request.json())
      app.post('/bytes', async ({ request }) => [...new Uint8Array(await request.arrayBuffer())])
      app.post('/form', async ({ request }) => Object.fromEntries(await request.formData()))
      app.post('/pieces', async ({ request }) => {
        let length = 0
        for await (const piece of request.body ?? []) length += piece.byteLength
        return length
      })
      app.post('/none', ({ request }) => request.body === null)
      return app
    },
    async ask => {
      assert.equal(await (await ask('/text', post('grüße'))).json(), 'grüße')
      assert.deepEqual(await (await ask('/json', post('{"a":1}'))).json(), { a: 1 })
      assert.deepEqual(await (await ask('/bytes', post(new Uint8Array([1, 2, 255])))).json(), [1, 2, 255])
      assert.deepEqual(await (await ask('/form', post(new URLSearchParams({ a: '1' })))).json(), { a: '1' })
      const form = new FormData()
      form.set('b', 'two')
      assert.deepEqual(await (await ask('/form', post(form))).json(), { b: 'two' })
      assert.equal(await (await ask('/pieces', post(new Uint8Array(300_000)))).json(), 300_000)
      assert.equal(await (await ask('/none', { method: 'POST' })).json(), true)
    },
  )

  onEachSeam(
    'that is larger than the route allows is a 413, whichever way it is read; what nobody reads is no error',
    () => {
      const app = new App({ log: silent })
      app.post('/text', { maxBodyBytes: 16 }, ({ request }) => request.text())
      app.post('/pieces', { maxBodyBytes: 16 }, async ({ request }) => {
        for await (const piece of request.body!) void piece
      })
      app.post('/unread', { maxBodyBytes: 16 }, ({ request }) => request.method)
      return app
    },
    async ask => {
      for (const path of ['/text', '/pieces'] as const) {
        assert.equal((await ask(path, post('x'.repeat(16)))).status, 200)
        assert.equal((await ask(path, post('x'.repeat(17)))).status, 413, path)
      }
      assert.equal((await ask('/unread', post('x'.repeat(17)))).status, 200)
    },
  )

  onEachSeam(
    'can be asked for beside a declared body, which has been read then',
    () => {
      const app = new App({ log: silent })
      app.post('/', { body: z.object({ a: z.int() }) }, async ({ body, request }) => {
        const again = await request.text().catch((error: unknown) => error)
        return { body, path: new URL(request.url).pathname, again: again instanceof Error }
      })
      return app
    },
    async ask => {
      const answer = await ask('/', post('{"a":1}', { 'content-type': 'application/json' }))
      assert.deepEqual(await answer.json(), { body: { a: 1 }, path: '/', again: true })
    },
  )

  for (const [name, open] of Object.entries(SOCKETS)) {
    test(`a slow handler stops its client, and 64 MiB go through in constant memory (${name})`, async () => {
      const entered = Promise.withResolvers<void>()
      const go = Promise.withResolvers<void>()
      let taken = 0
      let mostAhead = 0
      let sentNow = () => 0
      const app = new App({ log: silent })
      app.post('/', { maxBodyBytes: TOTAL, timeout: '2m' }, async ({ request }) => {
        for await (const piece of request.body!) {
          if (taken === 0) {
            entered.resolve()
            await go.promise
          }
          taken += piece.byteLength
          mostAhead = Math.max(mostAhead, sentNow() - taken)
        }
        return taken
      })
      const server = await open(app)
      opened.push(server)
      const socket = connect(server.port, '127.0.0.1')
      sentNow = () => socket.bytesWritten - socket.writableLength
      let text = ''
      socket.setEncoding('latin1').on('data', (piece: string) => (text += piece))
      const sent = sendAll(socket)
      await entered.promise
      // However long it waits, no more than the kernel's buffers fill.
      await sleep(300)
      go.resolve()
      await sent
      await once(socket, 'end')
      assert.match(text, new RegExp(`\r\n\r\n${TOTAL}$`))
      assert.ok(mostAhead < TOTAL / 2, `${mostAhead} bytes were taken from the client ahead of the handler`)
      socket.destroy()
    })

    test(`of a client that goes away in the middle fails with HTTP_BODY_ABORTED (${name})`, async () => {
      const entered = Promise.withResolvers<void>()
      const failed = Promise.withResolvers<unknown>()
      const app = new App({ log: silent })
      app.post('/', { maxBodyBytes: TOTAL }, async ({ request }) => {
        try {
          for await (const piece of request.body!) if (piece.byteLength > 0) entered.resolve()
        } catch (error) {
          failed.resolve(error)
        }
      })
      const server = await open(app)
      opened.push(server)
      const socket = connect(server.port, '127.0.0.1')
      socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${TOTAL}\r\n\r\n`)
      socket.write(PIECE)
      await entered.promise
      socket.destroy()
      const { name: kind, code } = (await failed.promise) as { name: string; code: string }
      assert.deepEqual([kind, code], ['BodyError', 'HTTP_BODY_ABORTED'])
    })
  }

  test('of a Request whose caller gives up, or whose stream breaks, fails with HTTP_BODY_ABORTED (fetch)', async () => {
    for (const how of ['signal', 'stream'] as const) {
      const entered = Promise.withResolvers<void>()
      const failed = Promise.withResolvers<unknown>()
      const app = new App({ log: silent })
      app.post('/', async ({ request }) => {
        try {
          for await (const piece of request.body!) if (piece.byteLength > 0) entered.resolve()
        } catch (error) {
          failed.resolve(error)
        }
      })
      const leaving = new AbortController()
      let source!: ReadableStreamDefaultController<Uint8Array>
      const body = new ReadableStream<Uint8Array>({ start: to => void (source = to) })
      source.enqueue(new Uint8Array(10))
      const init = { method: 'POST', body, duplex: 'half', signal: leaving.signal } as RequestInit
      const answer = app.fetch(new Request('http://a/', init))
      await entered.promise
      if (how === 'signal') leaving.abort()
      else source.error(new Error('broken'))
      const { name, code } = (await failed.promise) as { name: string; code: string }
      assert.deepEqual([name, code], ['BodyError', 'HTTP_BODY_ABORTED'])
      await answer
      await app.close()
    }
  })

  test('is pulled from a Request no faster than the handler takes it (fetch)', async () => {
    let pulled = 0
    const app = new App({ log: silent })
    const ahead: number[] = []
    app.post('/', { maxBodyBytes: TOTAL }, async ({ request }) => {
      let taken = 0
      for await (const piece of request.body!) {
        taken += piece.byteLength
        if (taken === PIECE.length) for (let n = 0; n < 50; n++) await new Promise(resolve => setImmediate(resolve))
        ahead.push(pulled - taken)
      }
      return taken
    })
    const pull = (to: ReadableStreamDefaultController<Uint8Array>) => {
      if (pulled === TOTAL) return to.close()
      pulled += PIECE.length
      to.enqueue(new Uint8Array(PIECE))
    }
    const init = { method: 'POST', body: new ReadableStream({ pull }), duplex: 'half' } as RequestInit
    assert.equal(await (await app.fetch(new Request('http://a/', init))).json(), TOTAL)
    assert.ok(Math.max(...ahead) <= 4 * PIECE.length, `${Math.max(...ahead)} bytes ahead`)
    await app.close()
  })

  test('of a Request that is not as long as its Content-Length says is not whole (fetch)', async () => {
    const app = new App({ log: silent })
    app.post('/', ({ request }) => request.text())
    for (const [length, status] of [
      ['3', 200],
      ['2', 400],
      ['4', 400],
    ] as const)
      assert.equal(
        (await app.fetch(new Request('http://a/', post('abc', { 'content-length': length })))).status,
        status,
      )
    await app.close()
  })

  test('that arrives too slowly fails with HTTP_BODY_TIMEOUT; the time in which nobody reads it does not count', async () => {
    class Silence extends BodyFeed {
      protected read(): void {}
      protected stop(): void {}
    }
    const limits = { ...DEFAULT_LIMITS, minRateGraceMs: 500 }
    const [read, unread] = [new Silence(undefined, limits), new Silence(undefined, limits)]
    unread.readOn()
    const keepsAlive = setInterval(() => {}, 1000)
    await assert.rejects(Promise.resolve(read.body.bytes()), {
      name: 'BodyError',
      code: 'HTTP_BODY_TIMEOUT',
      status: 408,
    })
    clearInterval(keepsAlive)
    unread.body.push(Buffer.from('late'))
    const { value } = await unread.body[Symbol.asyncIterator]().next()
    assert.equal(String(value), 'late')
    unread.fail(new Error('over'))
  })
})
