// The loads of the benches: the bytes that are sent, the schedule that is kept, and what the kernel says of the sockets.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import type { OpenLoad, OpenLoadReport } from '../../bench/clients/open-loop.ts'
import { helper } from '../../bench/harness/helper.ts'
import { requestBytes } from '../../bench/harness/load-request.ts'
import { percentile } from '../../bench/harness/percentile.ts'
import { pinned } from '../../bench/harness/python-peer.ts'
import { heldSockets } from '../../bench/harness/sockets.ts'
import { BROWSER_FIELDS } from '../../bench/headers.ts'

describe('a request of a load', () => {
  test('is the bytes that say it, whole or in one chunk', () => {
    const text = (...of: Parameters<typeof requestBytes>) => requestBytes(...of).toString('latin1')
    assert.equal(text({ path: '/a?b=1' }, 'h:1'), 'GET /a?b=1 HTTP/1.1\r\nHost: h:1\r\n\r\n')
    const post = { path: '/', headers: { 'X-A': 'b' }, body: '0123456789abcdef' }
    assert.equal(text(post, 'h'), `POST / HTTP/1.1\r\nHost: h\r\nX-A: b\r\nContent-Length: 16\r\n\r\n${post.body}`)
    assert.equal(
      text({ ...post, chunked: true }, 'h'),
      `POST / HTTP/1.1\r\nHost: h\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n${post.body}\r\n0\r\n\r\n`,
    )
  })

  test('as a browser sends it has fields of 650 bytes', () => {
    const browser = requestBytes({ path: '/', headers: BROWSER_FIELDS! }, '127.0.0.1:40000')
    assert.equal(browser.length - 'GET / HTTP/1.1\r\n\r\n'.length, 650)
  })
})

test('a percentile is a value that was measured', () => {
  const hundred = Array.from({ length: 100 }, (_, n) => 100 - n)
  assert.deepEqual(
    [50, 99, 100].map(percent => percentile(hundred, percent)),
    [50, 99, 100],
  )
  assert.equal(percentile([3, 1, 2], 99), 3)
  assert.equal(percentile([7], 1), 7)
  assert.ok(Number.isNaN(percentile([], 50)))
})

test('requirements pin every version, or are refused', () => {
  assert.deepEqual(pinned('# how\na==1.2\nb-c==3\n'), { a: '1.2', 'b-c': '3' })
  assert.throws(() => pinned('a>=1\n'), /a>=1 pins no version/)
})

test('requests on a schedule do not wait for answers, and their latency counts from when they were due', async t => {
  const count = 20
  const perSecond = 100
  const waiting: ServerResponse[] = []
  // Nobody is answered before everybody has asked.
  const server = createServer((_, response) => {
    waiting.push(response)
    if (waiting.length === count) for (const each of waiting) each.setHeader('content-length', 2).end('ok')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = helper('open-loop.ts', [])
  t.after(async () => {
    await client.stop()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const load: OpenLoad = { port, path: '/', perSecond, seconds: count / perSecond }
  const { answered, failed, mostMs, connections } = await client.ask<OpenLoadReport>(load)
  assert.deepEqual([answered, failed, connections], [count, 0, count])
  // The first was due 190 ms before the last one, without which there was no answer.
  assert.ok(mostMs >= ((count - 1) * 1000) / perSecond, `${mostMs} ms`)
})

test(
  'sockets are counted as long as the server holds them, by their peer',
  { skip: process.platform !== 'linux' },
  async t => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const { port } = server.address() as AddressInfo
    assert.deepEqual([...heldSockets(port)], [])
    const [connected] = (await Promise.all([
      once(server, 'connection'),
      (async () => {
        const client = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.3' })
        client.on('error', () => {})
        await once(client, 'connect')
        t.after(() => client.destroy())
      })(),
    ])) as unknown as [[{ destroy(): void; once: NodeJS.EventEmitter['once'] }], void]
    assert.deepEqual([...heldSockets(port)], [['127.0.0.3', 1]])
    const closed = once(connected[0] as unknown as NodeJS.EventEmitter, 'close')
    connected[0].destroy()
    await closed
    assert.deepEqual([...heldSockets(port)], [])
  },
)
