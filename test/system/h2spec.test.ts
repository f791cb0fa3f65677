// An outside opinion on our HTTP/2: h2spec, where somebody has installed it. Never required, with CI set or without.
//
//   go install github.com/summerwind/h2spec/cmd/h2spec@latest
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import http2 from 'node:http2'
import net from 'node:net'
import { test } from 'node:test'
import { acceptHttp2 } from '../../src/http/accept-http2.ts'
import { Engine } from '../../src/http/engine.ts'
import { prepareHead } from '../../src/http/prepared-head.ts'

const isHere = spawnSync('h2spec', ['--version']).status === 0

/** The cases that failed. Some do in node:http2 itself: nghttp2 follows RFC 9113, and h2spec the one before it. */
async function failures(port: number): Promise<Set<string>> {
  const child = spawn('h2spec', ['--host', '127.0.0.1', '--port', String(port)], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (piece: string) => (text += piece))
  await once(child, 'close')
  assert.match(text, /^145 tests, /m)
  return new Set([...text.matchAll(/^ +× \d+: (.*)$/gm)].map(match => match[1]!))
}

test(
  'no case of h2spec fails that does not in node:http2',
  { skip: !isHere && 'h2spec is not here' },
  async context => {
    const OK = prepareHead(200)
    // With a body: several cases wait for its first frame.
    const engine = new Engine(exchange => exchange.send(OK, 'answer'))
    const ours = net.createServer(socket => acceptHttp2(engine, socket)).listen(0, '127.0.0.1')
    const theirs = http2.createServer().listen(0, '127.0.0.1')
    theirs.on('stream', (stream: http2.ServerHttp2Stream) => {
      stream.on('error', () => {})
      stream.respond({ ':status': 200 })
      stream.end('answer')
    })
    context.after(() => {
      engine.close()
      ours.close()
      theirs.close()
    })
    for (const server of [ours, theirs]) if (!server.listening) await once(server, 'listening')
    const portOf = (server: net.Server) => (server.address() as net.AddressInfo).port
    const [found, known] = [await failures(portOf(ours)), await failures(portOf(theirs))]
    assert.deepEqual(
      [...found].filter(name => !known.has(name)),
      [],
    )
  },
)
