// One request from bytes to answer without a kernel: what our own JavaScript costs, in nanoseconds. The bench that asked for reading in
// place, for routes that run without a state of their own, and for writes past the stream's own queue.
import { Duplex } from 'node:stream'
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
const BROWSER = Buffer.from(
  'GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n' +
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\n' +
    'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n' +
    'Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nConnection: keep-alive\r\n' +
    `Cookie: session=${'c'.repeat(160)}\r\n\r\n`,
)

function requests(handler: Handler, bytes: Buffer): (count: number) => Promise<unknown> {
  const engine = new Engine(handler)
  const sink = new Sink()
  engine.accept(sink)
  const reader = (sink as Lean)[READER]!
  return async count => {
    for (let n = 0; n < count; n++) {
      reader.receivedBorrowed(bytes, bytes.length)
      // As after each read of a socket: what the handler promised is settled before the next event.
      await SETTLED
      await SETTLED
    }
    return sink.answers
  }
}

const ok = prepareHead(200, ['content-type', 'application/json'])
const { handler } = await hello.start()
await compareCallsAsync('a request, without the kernel', {
  'engine, constant answer': requests(exchange => exchange.send(ok, '{"message":"Hello High Concurrency API"}'), BARE),
  hello: requests(handler, BARE),
  'hello, browser-like fields': requests(handler, BROWSER),
})
