// One request from bytes to answer without a kernel: what our own JavaScript costs, in nanoseconds. The bench that asked for reading in
// place, for routes that run without a state of their own, and for writes past the stream's own queue.
import { Duplex } from 'node:stream'
import { App } from 'millrace'
import * as z from 'zod'
import hello from '../../examples/hello/app.ts'
import { Engine } from '../../src/http/engine.ts'
import { READER, type Lean } from '../../src/http/lean-socket.ts'
import { prepareHead } from '../../src/http/prepared-head.ts'
import type { Handler } from '../../src/http/handler.ts'
import { compareCallsAsync } from './time.ts'

/** Swallows what is written; has no kernel behind it and no stream machinery in front of it. */
class Sink extends Duplex {
  answers = 0
  override write(): boolean {
    this.answers++
    return true
  }
  override _read(): void {}
}

const SETTLED = Promise.resolve()

const BARE = Buffer.from('GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n')
const PRODUCT = Buffer.from('GET /products/7 HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n')
const BROWSER = Buffer.from(
  'GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n' +
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\n' +
    'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n' +
    'Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nConnection: keep-alive\r\n' +
    `Cookie: session=${'c'.repeat(160)}\r\n\r\n`,
)

function requests(handler: Handler, bytes: Buffer, next?: (n: number) => void): (count: number) => Promise<unknown> {
  const engine = new Engine(handler)
  const sink = new Sink()
  engine.accept(sink)
  const reader = (sink as Lean)[READER]!
  let turn = 0
  return async count => {
    // Each is answered before the next comes: what takes longer the first time is waited for.
    const before = sink.answers
    next?.(turn++)
    reader.receivedBorrowed(bytes, bytes.length)
    while (sink.answers === before) await new Promise(resolve => setImmediate(resolve))
    for (let n = 0; n < count; n++) {
      next?.(turn++)
      reader.receivedBorrowed(bytes, bytes.length)
      // As after each read of a socket: what the handler promised is settled before the next event.
      await SETTLED
      await SETTLED
    }
    if (sink.answers !== before + count + 1)
      throw new Error(`${sink.answers - before} answers to ${count + 1} requests`)
    return sink.answers
  }
}

/** The same for each of 1,000 products in turn: what a hit finds, it does not find in the nearest memory. */
function productRequests(handler: Handler): (count: number) => Promise<unknown> {
  const bytes = Buffer.from('GET /products/1000 HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n')
  const at = bytes.indexOf('1000') + 1
  const answered = requests(handler, bytes, n => {
    const id = (n * 7) % 1000
    bytes[at] = 48 + Math.floor(id / 100)
    bytes[at + 1] = 48 + (Math.floor(id / 10) % 10)
    bytes[at + 2] = 48 + (id % 10)
  })
  let isWarm = false
  return async count => {
    if (!isWarm) for (let n = 0; n < 1000; n++) await answered(0)
    isWarm = true
    return answered(count)
  }
}

const Product = z.object({
  id: z.int(),
  name: z.string(),
  description: z.string(),
  priceCents: z.int(),
  stock: z.int(),
})
const shop = new App()
shop.get(
  '/products/{id}',
  { params: z.object({ id: z.int().positive() }), returns: { 200: Product }, cache: { ttl: '1h' } },
  async ({ params }) => ({ id: params.id, name: 'Lamp', description: 'x'.repeat(150), priceCents: 4900, stock: 12 }),
)

const ok = prepareHead(200, ['content-type', 'application/json'])
const { handler } = await hello.start()
await compareCallsAsync('a request, without the kernel', {
  'engine, constant answer': requests(exchange => exchange.send(ok, '{"message":"Hello High Concurrency API"}'), BARE),
  hello: requests(handler, BARE),
  'a product from the cache': requests((await shop.start()).handler, PRODUCT),
  'one of 1,000 products from the cache': productRequests((await shop.start()).handler),
  'hello, browser-like fields': requests(handler, BROWSER),
})
