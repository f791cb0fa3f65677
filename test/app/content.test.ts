import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { App, bytes, stream, text } from 'millrace'
import { compress } from 'millrace/middleware'
import { testClient } from 'millrace/testing'
import { get, overSocket } from './support/over-tcp.ts'
import { onEachSeam, silent } from './support/seams.ts'

async function* pieces(...of: readonly (string | Uint8Array)[]) {
  for (const piece of of) {
    await new Promise(resolve => setImmediate(resolve))
    yield piece
  }
}

const make = () => {
  const app = new App({ log: silent })
  app.get('/text', () => text('häh?\n'))
  app.get('/html', () => text('<p>', { type: 'text/html', status: 202, headers: { 'x-a': 'b' }, cookies: { c: 'd' } }))
  app.get('/bytes', () => bytes(new Uint8Array([1, 2, 255]), { type: 'image/x-tiny' }))
  app.get('/declared', { returns: z.object({ id: z.int() }) }, () => text('not JSON'))
  app.get('/generator', { returns: z.object({ id: z.int() }) }, () => stream(pieces('a', 'ü', new Uint8Array([99]))))
  app.get('/list', () => stream(['a', '', 'b'], { type: 'text/plain', status: 206 }))
  app.get('/web', async () => stream(new Blob(['from ', 'a blob']).stream()))
  app.get('/node', () => stream(Readable.from([Buffer.from('of '), Buffer.from('node')])))
  app.get('/known', () => stream(pieces('12', '345'), { length: 5 }))
  app.get('/short', () => stream(pieces('12', '34'), { length: 5 }))
  app.get('/long', () => stream(pieces('123', '456'), { length: 5 }))
  app.get('/fails', () =>
    stream(
      (async function* () {
        yield 'part'
        throw new Error('source failed in the middle')
      })(),
    ),
  )
  app.get('/whole', () => stream('abc' as never))
  app.get('/length', () => stream([], { length: -1 }))
  app.get('/number', () => stream(pieces(1 as never)))
  return app
}

describe('text and bytes', () => {
  onEachSeam('go out with type, length, and what reply() takes', make, async ask => {
    const plain = await ask('/text')
    assert.equal(plain.headers.get('content-type'), 'text/plain; charset=utf-8')
    assert.equal(plain.headers.get('content-length'), '6')
    assert.equal(await plain.text(), 'häh?\n')
    const html = await ask('/html')
    assert.deepEqual(
      [html.status, html.headers.get('content-type'), html.headers.get('x-a'), html.headers.get('set-cookie')],
      [202, 'text/html', 'b', 'c=d; Path=/; SameSite=Lax'],
    )
    const three = await ask('/bytes')
    assert.equal(three.headers.get('content-type'), 'image/x-tiny')
    assert.deepEqual([...new Uint8Array(await three.arrayBuffer())], [1, 2, 255])
    assert.equal(await (await ask('/declared')).text(), 'not JSON')
  })

  onEachSeam('cookies and fields of one answer are not those of the next', make, async ask => {
    await ask('/html')
    await ask('/text')
    assert.equal((await ask('/text')).headers.get('set-cookie'), null)
    assert.equal((await ask('/html')).headers.get('x-a'), 'b')
  })
})

describe('stream()', () => {
  onEachSeam('sends what any source yields, strings and bytes mixed', make, async ask => {
    assert.equal(await (await ask('/generator')).text(), 'aüc')
    const list = await ask('/list')
    assert.deepEqual([list.status, list.headers.get('content-type'), await list.text()], [206, 'text/plain', 'ab'])
    assert.equal(await (await ask('/web')).text(), 'from a blob')
    assert.equal(await (await ask('/node')).text(), 'of node')
  })

  onEachSeam('a known length is told', make, async ask => {
    const answer = await ask('/known')
    assert.equal(answer.headers.get('content-length'), '5')
    assert.equal(answer.headers.get('transfer-encoding'), null)
    assert.equal(await answer.text(), '12345')
  })

  onEachSeam('a body of another length than told, or one that fails, does not pass for whole', make, async ask => {
    for (const path of ['/short', '/long', '/fails', '/number'] as const)
      await assert.rejects(async () => (await ask(path)).arrayBuffer(), path)
  })

  onEachSeam('what is no source, or no length, is a 500', make, async ask => {
    for (const path of ['/whole', '/length'] as const) assert.equal((await ask(path)).status, 500, path)
  })

  onEachSeam('HEAD has the fields and starts no source', make, async ask => {
    const answer = await ask('/known', { method: 'HEAD' })
    assert.equal(answer.headers.get('content-length'), '5')
    assert.equal(await answer.text(), '')
  })

  const compressedStream = () => {
    const app = new App({ log: silent })
    app.use(compress({ thresholdBytes: 0 }))
    app.get('/', () => stream(pieces('one ', 'two'), { type: 'text/plain', length: 7 }))
    return app
  }
  onEachSeam('passes through middleware that rewrites it', compressedStream, async ask => {
    const answer = await ask('/', { headers: { 'accept-encoding': 'gzip' } })
    assert.equal(answer.headers.get('content-length'), null)
    const plain = answer.headers.has('content-encoding')
      ? answer.body!.pipeThrough(new DecompressionStream('gzip'))
      : answer.body!
    assert.equal(await new Response(plain).text(), 'one two')
  })

  test('a client that goes away ends the source: its finally runs', async () => {
    for (const open of ['fetch', 'engine'] as const) {
      const ended = Promise.withResolvers<void>()
      const app = new App({ log: silent })
      async function* endless() {
        try {
          for (;;) {
            await new Promise(resolve => setImmediate(resolve))
            yield new Uint8Array(16 * 1024)
          }
        } finally {
          ended.resolve()
        }
      }
      app.get('/', () => stream(endless()))
      const client = testClient(app)
      const answer = await (open === 'fetch' ? app.fetch(new Request('http://a/')) : client.fetch('/'))
      const reader = answer.body!.getReader()
      await reader.read()
      await reader.cancel()
      await ended.promise
      await client.close()
    }
  })

  test('takes no piece before the client has room for it', async () => {
    for (const open of ['fetch', 'engine'] as const) {
      let made = 0
      const app = new App({ log: silent })
      function* endless() {
        for (;;) {
          made++
          yield new Uint8Array(64 * 1024)
        }
      }
      app.get('/', () => stream(endless()))
      const client = testClient(app)
      const answer = await (open === 'fetch' ? app.fetch(new Request('http://a/')) : client.fetch('/'))
      const reader = answer.body!.getReader()
      await reader.read()
      for (let n = 0; n < 200; n++) await new Promise(resolve => setImmediate(resolve))
      assert.ok(made < 100, `${made} pieces made for a client that took one`)
      await reader.cancel()
      await client.close()
    }
  })

  test('a socket is used again after a whole body, and never after one of another length', async () => {
    await overSocket(make(), async client => {
      const [known, generated] = await client.write(get('/known') + get('/generator')).answers(2)
      assert.deepEqual([known!.fields.get('content-length'), known!.body], ['5', '12345'])
      assert.equal(generated!.fields.get('transfer-encoding'), 'chunked')
      client.write(get('/long') + get('/text'))
      await client.until(({ hasEnded, hasClosed }) => hasEnded || hasClosed)
      const rest = client.text.slice(client.text.lastIndexOf('HTTP/1.1 200'))
      assert.match(rest, /\r\ncontent-length: 5\r\n/i)
      assert.equal(rest.split('\r\n\r\n')[1], '123')
    })
  })

  test('trailers are asked for after the last piece', async () => {
    const app = new App({ log: silent })
    app.get('/', () => {
      let sum = 0
      async function* counted() {
        for (const n of [1, 2, 3]) {
          sum += n
          yield `${n}\n`
        }
      }
      return stream(counted(), { trailers: () => ({ 'x-sum': String(sum) }), headers: { trailer: 'x-sum' } })
    })
    app.get('/bad', () => stream(['a'], { trailers: () => ({ 'x-sum': 'a\r\nb' }) }))
    await overSocket(app, async client => {
      await client.write(get('/')).until(({ text }) => text.endsWith('\r\n\r\n') && text.includes('\r\n0\r\n'))
      assert.ok(client.text.endsWith('\r\n0\r\nx-sum: 6\r\n\r\n'), client.text)
      const before = client.text.length
      await client.write(get('/bad')).until(({ hasEnded, hasClosed }) => hasEnded || hasClosed)
      assert.doesNotMatch(client.text.slice(before), /\r\n0\r\n/)
    })
  })
})
