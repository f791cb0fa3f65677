// Who may come in and who it is, over real sockets, in each of the forms that a socket can have when it gets there.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { duplexPair, type Duplex } from 'node:stream'
import { after, afterEach, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import tls from 'node:tls'
import { Engine } from '../../src/http/engine.ts'
import { leanSocket } from '../../src/http/lean-socket.ts'
import { prepareHead } from '../../src/http/prepared-head.ts'
import { FORWARDED_FIELDS, TrustedProxies } from '../../src/http/trusted-proxy.ts'
import { connectionsWithin, defaultMaxConnections, descriptorLimit } from '../../src/server/descriptor-limit.ts'
import { Entrance, type EntranceOptions, type Next, type RefusalReason } from '../../src/server/entrance.ts'
import { Client } from '../http/support/connect.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-entrance-'))
after(() => rmSync(folder, { recursive: true }))

const OK = prepareHead(200)
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const V1 = 'PROXY TCP4 192.0.2.7 198.51.100.2 4660 80\r\n'
const V2 = Buffer.from('0d0a0d0a000d0a515549540a' + '2111000c' + 'c0000207c633640212340050', 'hex').toString('latin1')
const LOCAL = Buffer.from('0d0a0d0a000d0a515549540a' + '20000000', 'hex').toString('latin1')

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup()
})

interface Way {
  readonly name: string
  readonly isLean: boolean
  readonly path?: string
}
const WAYS: readonly Way[] = [
  { name: 'plain sockets', isLean: false },
  { name: 'lean sockets', isLean: true },
  { name: 'lean unix sockets', isLean: true, path: join(folder, 's') },
]

interface Opened {
  readonly engine: Engine
  readonly entrance: Entrance
  readonly refused: RefusalReason[]
  dial(): Promise<Client>
}

async function opened(way: Way, options: Partial<EntranceOptions>, next?: (engine: Engine) => Next): Promise<Opened> {
  const refused: RefusalReason[] = []
  const engine = new Engine(exchange =>
    exchange.send(OK, `${exchange.peer.address} ${exchange.peer.port} ${exchange.scheme}`),
  )
  const entrance = new Entrance(
    {
      maxConnections: 1000,
      maxConnectionsPerAddress: Infinity,
      trustedProxies: new TrustedProxies(['loopback', 'unix'], FORWARDED_FIELDS),
      proxyProtocol: true,
      headerTimeoutMs: 60_000,
      lingerMs: 60_000,
      isPlain: true,
      refused: reason => refused.push(reason),
      ...options,
    },
    next?.(engine) ?? ((socket, peer) => engine.accept(socket, peer)),
  )
  const server = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, socket =>
    entrance.admit(way.isLean ? leanSocket(socket) : socket),
  )
  server.listen(way.path ?? { port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  cleanups.push(() => {
    server.close()
    entrance.close()
    engine.close()
  })
  const address = server.address()
  const dial = async () => {
    const to = typeof address === 'object' ? { port: address!.port, host: '127.0.0.1' } : { path: way.path! }
    const socket = net.connect({ ...to, allowHalfOpen: true } as net.NetConnectOpts)
    await once(socket, 'connect')
    const client = new Client(socket, () => {})
    cleanups.push(() => client.destroy())
    return client
  }
  return { engine, entrance, refused, dial }
}

for (const way of WAYS)
  describe(`a PROXY protocol header over ${way.name}`, () => {
    test('tells who the client is, of either version, for all requests of the connection', async () => {
      for (const header of [V1, V2]) {
        const { dial } = await opened(way, {})
        const client = await dial()
        client.write(header + GET + GET)
        const answers = await client.answers(2)
        assert.deepEqual(
          answers.map(({ body }) => body),
          ['192.0.2.7 4660 http', '192.0.2.7 4660 http'],
        )
        client.write(GET)
        assert.equal((await client.answers(3))[2]!.body, '192.0.2.7 4660 http')
        for (const cleanup of cleanups.splice(0).reverse()) cleanup()
      }
    })

    test('may come byte by byte, with the request behind it in the same packet or in another', async () => {
      for (const header of [V1, V2]) {
        const { dial } = await opened(way, {})
        for (let cut = 1; cut < header.length + 4; cut += 5) {
          const client = await dial()
          client.write((header + GET).slice(0, cut))
          await turn()
          client.write((header + GET).slice(cut))
          assert.equal((await client.answers(1))[0]!.body, '192.0.2.7 4660 http', `cut at ${cut}`)
        }
        const dripped = await dial()
        for (const byte of header + GET) {
          dripped.write(byte)
          await turn()
        }
        assert.equal((await dripped.answers(1))[0]!.body, '192.0.2.7 4660 http')
        for (const cleanup of cleanups.splice(0).reverse()) cleanup()
      }
    })

    test('leaves a client that ends its side right behind its request its answer', async () => {
      const { dial } = await opened(way, {})
      const client = await dial()
      client.stream.end(`${V1}${GET}`, 'latin1')
      assert.equal((await client.ended())[0]!.body, '192.0.2.7 4660 http')
    })

    test('that names nobody leaves the proxy itself as the client', async () => {
      const { dial } = await opened(way, {})
      for (const header of [LOCAL, 'PROXY UNKNOWN\r\n']) {
        const client = await dial()
        client.write(header + GET)
        const address = way.path === undefined ? /^127\.0\.0\.1 \d+ http$/ : /^ 0 http$/
        assert.match((await client.answers(1))[0]!.body, address)
      }
    })

    test('that is missing, broken, cut or late closes the connection without an answer', async () => {
      const { dial, refused, entrance } = await opened(way, { headerTimeoutMs: 200 })
      const [request, broken, cut, silent, dripping] = await Promise.all([dial(), dial(), dial(), dial(), dial()])
      request.write(GET)
      broken.write('PROXY TCP4 nobody\r\n')
      cut.stream.end(V1.slice(0, 20))
      dripping.write('PROXY ')
      const drip = setInterval(() => dripping.stream.writable && dripping.write('x'), 20)
      for (const client of [request, broken, cut, silent, dripping])
        await client.until(({ hasEnded, hasClosed }) => hasEnded || hasClosed).then(() => assert.equal(client.text, ''))
      clearInterval(drip)
      assert.deepEqual(refused, Array(5).fill('proxy-header'))
      while (entrance.connections > 0) await turn()
    })

    test('passes a large upload on whole', async () => {
      const { dial } = await opened(way, {}, () => socket => {
        let bytes = 0
        socket.on('data', (piece: Buffer) => (bytes += piece.length))
        socket.on('end', () => socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n${String(bytes)}`))
        socket.resume()
      })
      const client = await dial()
      client.stream.end(Buffer.concat([Buffer.from(V2, 'latin1'), Buffer.alloc(3_000_000)]))
      assert.equal((await client.ended())[0]!.body, '3000000')
    })

    test('comes before TLS', async () => {
      const secure = tls.createServer({
        pskCallback: () => PSK,
        ciphers: 'PSK',
        maxVersion: 'TLSv1.2',
      })
      const peers = new Map<net.Socket, Parameters<Next>[1]>()
      const { dial, entrance } = await opened(way, { isPlain: false }, engine => {
        secure.on('secureConnection', socket => {
          const [peer] = peers.values()
          engine.accept(socket, peer && { ...peer, encrypted: true })
        })
        return (socket, peer) => {
          peers.set(socket, peer)
          secure.emit('connection', socket)
        }
      })
      for (const isTogether of [true, false]) {
        const { stream } = await dial()
        const socket = tls.connect({
          socket: behindHeader(stream as net.Socket, V1, isTogether),
          ciphers: 'PSK',
          maxVersion: 'TLSv1.2',
          pskCallback: () => ({ psk: PSK, identity: 'x' }),
          checkServerIdentity: () => undefined,
        })
        cleanups.push(() => socket.destroy())
        socket.write(GET)
        const client = new Client(socket, () => {})
        assert.equal((await client.answers(1))[0]!.body, '192.0.2.7 4660 https')
        socket.destroy()
        // Node 22 leaves it open, and it would be idle until its time-out.
        stream.destroy()
        while (entrance.connections > 0) await turn()
      }
    })
  })

const PSK = Buffer.from('an agreed secret')

/** What is written to it goes behind the header: the first piece in the same packet, or in another. */
function behindHeader(socket: net.Socket, header: string, isTogether: boolean): Duplex {
  socket.removeAllListeners('data')
  const [near, far] = duplexPair()
  far.once('data', (first: Buffer) => {
    if (isTogether) socket.write(Buffer.concat([Buffer.from(header, 'latin1'), first]))
    else {
      socket.write(header, 'latin1')
      setImmediate(() => socket.write(first))
    }
    setImmediate(() => far.pipe(socket).pipe(far))
    far.pause()
  })
  return near
}

describe('a peer that is no trusted proxy', () => {
  test('has its header taken for a request, and a bad one', async () => {
    const { dial, refused } = await opened(WAYS[1]!, { trustedProxies: new TrustedProxies(['10.0.0.0/8'], []) })
    const [spoofing, honest] = await Promise.all([dial(), dial()])
    spoofing.write(V1 + GET)
    honest.write(GET)
    assert.equal((await spoofing.ended())[0]!.status, 501)
    assert.match((await honest.answers(1))[0]!.body, /^127\.0\.0\.1 /)
    assert.deepEqual(refused, [])
  })
})

for (const way of WAYS)
  describe(`the cap on connections over ${way.name}`, () => {
    test('answers what comes on top with 503, and lets others in when connections go', async () => {
      const { dial, refused, entrance } = await opened(way, { maxConnections: 3, proxyProtocol: false })
      const inside = await Promise.all([dial(), dial(), dial()])
      for (const client of inside) client.write(GET)
      for (const client of inside) await client.answers(1)
      const outside = await dial()
      outside.write(GET)
      const [answer] = await outside.ended()
      assert.equal(answer!.status, 503)
      assert.equal(answer!.fields.get('connection'), 'close')
      assert.match(answer!.fields.get('retry-after')!, /^[123]$/)
      assert.ok(answer!.fields.has('date'))
      assert.equal((JSON.parse(answer!.body) as { status: number }).status, 503)
      assert.deepEqual(refused, ['full'])
      assert.equal(entrance.connections, 3)
      for (const client of inside) client.write(GET)
      for (const client of inside) await client.answers(2)
      inside[0].destroy()
      while (entrance.connections > 2) await turn()
      const next = await dial()
      next.write(GET)
      assert.equal((await next.answers(1))[0]!.status, 200)
    })

    test('cuts one that is refused and does not go', async () => {
      const { dial } = await opened(way, { maxConnections: 1, proxyProtocol: false, lingerMs: 50 })
      const inside = await dial()
      inside.write(GET)
      await inside.answers(1)
      const stubborn = await dial()
      const drip = setInterval(() => stubborn.stream.writable && stubborn.write('x'), 10)
      await stubborn.until(({ hasClosed }) => hasClosed).catch(() => {})
      clearInterval(drip)
      assert.ok(stubborn.hasClosed)
    })
  })

describe('the cap on connections', () => {
  test('just closes when many are being told already, and where TLS comes first', async () => {
    for (const isPlain of [true, false]) {
      const { dial, refused } = await opened(WAYS[1]!, { maxConnections: 1, proxyProtocol: false, isPlain })
      const inside = await dial()
      inside.write(GET)
      await inside.answers(1)
      // One of ten can be told, and stays for it as long as it does not close.
      const told = await dial()
      if (isPlain) await told.until(({ hasEnded }) => hasEnded)
      const closed = await dial()
      await closed.until(({ hasEnded, hasClosed }) => hasEnded || hasClosed)
      assert.equal(closed.text, '')
      assert.deepEqual(refused, ['full', 'full'])
      assert.equal(told.text !== '', isPlain)
      for (const cleanup of cleanups.splice(0).reverse()) cleanup()
    }
  })

  test('is 0.4 of the descriptors that the process may have', () => {
    assert.equal(connectionsWithin(1024), 409)
    assert.equal(connectionsWithin(Infinity), Infinity)
    assert.equal(connectionsWithin(1), 1)
    const limit = descriptorLimit()
    if (limit !== undefined) assert.equal(defaultMaxConnections(), connectionsWithin(limit))
  })
})

describe('the cap on connections of one address', () => {
  test('counts clients, as the header of a trusted proxy names them, and IPv6 by its first 64 bits', async () => {
    const { dial, refused, entrance } = await opened(WAYS[1]!, { maxConnectionsPerAddress: 2 })
    const come = async (family: string, address: string) => {
      const client = await dial()
      client.write(`PROXY ${family} ${address} ${family === 'TCP4' ? '198.51.100.2' : '::1'} 1 2\r\n${GET}`)
      return { client, status: (await client.answers(1))[0]!.status }
    }
    const first = await come('TCP4', '192.0.2.7')
    assert.equal((await come('TCP6', '::ffff:192.0.2.7')).status, 200)
    assert.equal((await come('TCP4', '192.0.2.7')).status, 503)
    assert.equal((await come('TCP4', '192.0.2.8')).status, 200)
    assert.equal((await come('TCP6', '2001:db8::1')).status, 200)
    assert.equal((await come('TCP6', '2001:db8:0:0:ffff::2')).status, 200)
    assert.equal((await come('TCP6', '2001:db8::3')).status, 503)
    assert.equal((await come('TCP6', '2001:db8:0:1::3')).status, 200)
    assert.deepEqual(refused, ['address', 'address'])
    const before = entrance.connections
    first.client.destroy()
    while (entrance.connections >= before) await turn()
    assert.equal((await come('TCP4', '192.0.2.7')).status, 200)
  })

  test('counts whoever connects directly, and not a trusted proxy', async () => {
    const mine = { maxConnectionsPerAddress: 1, proxyProtocol: false }
    for (const [trusted, expected] of [
      ['10.0.0.0/8', [200, 503]],
      ['loopback', [200, 200]],
    ] as const) {
      const { dial } = await opened(WAYS[0]!, { ...mine, trustedProxies: new TrustedProxies([trusted], []) })
      const statuses: number[] = []
      for (let n = 0; n < 2; n++) {
        const client = await dial()
        client.write(GET)
        statuses.push((await client.answers(1))[0]!.status)
      }
      assert.deepEqual(statuses, expected)
      for (const cleanup of cleanups.splice(0).reverse()) cleanup()
    }
  })

  test('does not count unix sockets', async () => {
    const { dial } = await opened(WAYS[2]!, { maxConnectionsPerAddress: 1, trustedProxies: undefined })
    for (let n = 0; n < 3; n++) {
      const client = await dial()
      client.write(GET)
      assert.equal((await client.answers(1))[0]!.status, 200)
    }
  })
})

test('what waits for its header, or has been refused, is closed with the entrance', async () => {
  const { dial, entrance } = await opened(WAYS[1]!, { maxConnections: 1 })
  const waiting = await dial()
  while (entrance.connections === 0) await turn()
  const refused = await dial()
  await refused.until(({ hasEnded }) => hasEnded)
  entrance.close()
  await waiting.until(({ hasEnded, hasClosed }) => hasEnded || hasClosed)
  while (entrance.connections > 0) await turn()
})
