import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { Engine } from '../../src/http/engine.ts'
import { leanSocket } from '../../src/http/lean-socket.ts'
import { prepareHead } from '../../src/http/prepared-head.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-lean-'))
after(() => rmSync(folder, { recursive: true }))

async function serving(
  onSocket: (socket: Socket) => void,
  path?: string,
): Promise<{ server: Server; dial: () => Socket }> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, accepted =>
    onSocket(leanSocket(accepted)),
  )
  server.listen(path ?? { port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  const address = server.address()
  return { server, dial: () => (typeof address === 'object' ? connect(address!.port, '127.0.0.1') : connect(path!)) }
}

for (const [kind, path] of [
  ['TCP', undefined],
  ['a unix socket', join(folder, 's')],
] as const)
  describe(`lean sockets over ${kind}`, () => {
    test('what one connection sent stays as it was while others are read into the same memory', async () => {
      const kept: Buffer[] = []
      const { server, dial } = await serving(
        socket => socket.on('data', (bytes: Buffer) => kept.push(bytes)).on('end', () => socket.end()),
        path,
      )
      for (const letter of ['a', 'b', 'c']) {
        const client = dial()
        client.end(letter.repeat(1000))
        client.resume()
        await once(client, 'close')
      }
      assert.equal(kept.map(String).sort().join(''), 'a'.repeat(1000) + 'b'.repeat(1000) + 'c'.repeat(1000))
      await new Promise(resolve => server.close(resolve))
    })

    test('a handler that looks late sees its own request, whatever has been read since', async () => {
      const held: (() => void)[] = []
      const engine = new Engine(async exchange => {
        await new Promise<void>(resolve => {
          held.push(resolve)
        })
        const { target, search, authority, fields, body } = exchange
        const text = Buffer.from(await body.bytes()).toString()
        exchange.send(prepareHead(200), JSON.stringify([target, search, authority, [...fields.entries()], text]))
      })
      const { server, dial } = await serving(socket => engine.accept(socket), path)
      const answers: Promise<string>[] = []
      for (const letter of ['a', 'b', 'c', 'd']) {
        const name = letter.repeat(40)
        const before = held.length
        const fields = `Host: ${name}\r\nX-${name}: ${name}\r\n`
        const body = letter < 'c' ? '' : name
        const first =
          letter === 'b' ? `GET http://${name}/%2${'0'}?${name} HTTP/1.1\r\n` : `POST /${name}?${name} HTTP/1.1\r\n`
        const client = dial()
        client.write(`${first}${fields}${body ? `Content-Length: ${body.length}\r\n` : ''}\r\n${body}`)
        client.end(`GET /next${name} HTTP/1.1\r\n${fields}\r\n`)
        let got = ''
        client.setEncoding('latin1').on('data', (piece: string) => (got += piece))
        answers.push(once(client, 'close').then(() => got))
        while (held.length === before) await new Promise(resolve => setImmediate(resolve))
      }
      const release = setInterval(() => held.splice(0).forEach(resolve => resolve()), 1)
      for (const [n, answer] of (await Promise.all(answers)).entries()) {
        const letter = 'abcd'[n]!
        const name = letter.repeat(40)
        const lines: [string, string][] = [
          ['host', name],
          [`x-${name}`, name],
        ]
        const body = letter < 'c' ? '' : name
        const all = body ? [...lines, ['content-length', '40']] : lines
        const target = letter === 'b' ? `http://${name}/%20?${name}` : `/${name}?${name}`
        const [first, second] = answer.split('HTTP/1.1 200 OK').slice(1)
        assert.deepEqual(JSON.parse(first!.split('\r\n\r\n')[1]!), [target, name, name, all, body])
        assert.deepEqual(JSON.parse(second!.split('\r\n\r\n')[1]!), [`/next${name}`, '', name, lines, ''])
      }
      clearInterval(release)
      engine.close()
      await new Promise(resolve => server.close(resolve))
    })

    test('answers of every kind arrive whole and in order at a client that stops reading now and then', async () => {
      const bodyOf = (n: number) => {
        const size = (n * 7919) % 20_000
        return n % 3 === 0 ? `${n}${'ä'.repeat(size / 2)}` : `${n}${'x'.repeat(size)}`
      }
      let served = 0
      const engine = new Engine(exchange => {
        const body = bodyOf(served++)
        exchange.send(prepareHead(200), served % 2 === 0 ? Buffer.from(body) : body)
      })
      const { server, dial } = await serving(socket => engine.accept(socket), path)
      const client = dial()
      const asked = 1500
      client.pause()
      client.end('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(asked))
      while (served < 10) await new Promise(resolve => setImmediate(resolve))
      const pieces: Buffer[] = []
      client.on('data', (piece: Buffer) => {
        pieces.push(piece)
        if (pieces.length % 50 !== 0) return
        client.pause()
        setImmediate(() => setImmediate(() => client.resume()))
      })
      client.resume()
      await once(client, 'close')
      const got = Buffer.concat(pieces)
        .toString()
        .split(/HTTP\/1\.1 200 OK\r\n(?:[^\r]+\r\n)*\r\n/)
        .slice(1)
      assert.equal(got.length, asked)
      for (const [n, body] of got.entries()) assert.equal(body, bodyOf(n))
      engine.close()
      await new Promise(resolve => server.close(resolve))
    })

    test('what the kernel has not taken of one answer stays as it is while others are written', async () => {
      const bodyOf = (path: string, n: number) => `${path}${n} `.repeat(1000)
      let served = 0
      const engine = new Engine(exchange => exchange.send(prepareHead(200), bodyOf(exchange.path, served++)))
      const { server, dial } = await serving(socket => engine.accept(socket), path)
      const asked = 1500
      const slow = dial().pause()
      slow.end('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(asked))
      let before = -1
      while (before !== served || served === 0) {
        before = served
        for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve))
      }
      assert.ok(served < asked, 'the slow client must have been waited for')
      const others = served
      for (let n = 0; n < 3; n++) {
        const quick = dial()
        let got = ''
        quick.setEncoding('latin1').on('data', (piece: string) => (got += piece))
        quick.end('GET /quick HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
        await once(quick, 'close')
        assert.equal(got.split('\r\n\r\n')[1], bodyOf('/quick', others + n))
      }
      let got = ''
      slow.setEncoding('latin1').on('data', (piece: string) => (got += piece))
      slow.resume()
      await once(slow, 'close')
      const bodies = got.split(/HTTP\/1\.1 200 OK\r\n(?:[^\r]+\r\n)*\r\n/).slice(1)
      assert.equal(bodies.length, asked)
      for (const [n, body] of bodies.entries()) assert.equal(body, bodyOf('/slow', n < others ? n : n + 3))
      engine.close()
      await new Promise(resolve => server.close(resolve))
    })

    test('a large upload arrives whole and in order', async () => {
      const sent = Buffer.alloc(3_000_000, 'The quick brown fox. ')
      const { promise, resolve } = Promise.withResolvers<Buffer>()
      const { server, dial } = await serving(socket => {
        const got: Buffer[] = []
        socket.on('data', (bytes: Buffer) => got.push(bytes))
        socket.on('end', () => resolve(Buffer.concat(got)))
        socket.on('end', () => socket.end())
      }, path)
      const client = dial()
      client.end(sent)
      client.resume()
      assert.ok((await promise).equals(sent))
      await new Promise(resolve => server.close(resolve))
    })

    test('long bodies at the same time, with requests behind them, stay as they were sent, to whoever keeps their pieces', async () => {
      const kept: Buffer[][] = []
      const engine = new Engine(
        async exchange => {
          const pieces: Buffer[] = []
          for await (const piece of exchange.body)
            pieces.push(Buffer.from(piece.buffer, piece.byteOffset, piece.length))
          kept.push(pieces)
          exchange.send(prepareHead(200), exchange.path)
        },
        { limits: { maxBodyBytes: 3_000_000 }, halfClose: 'answer' },
      )
      const { server, dial } = await serving(socket => engine.accept(socket), path)
      const clients = ['a', 'b', 'c', 'd'].map(async letter => {
        const body = Buffer.alloc(2_000_000 + letter.charCodeAt(0), `${letter}0123456789`)
        const client = dial()
        let got = ''
        client.setEncoding('latin1').on('data', (piece: string) => (got += piece))
        client.write(`POST /${letter} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`)
        // The last of it slowly: back from memory of its own to the shared one.
        client.write(body.subarray(0, -3000))
        for (let at = body.length - 3000; at < body.length; at += 1000) {
          await new Promise(resolve => setImmediate(resolve))
          client.write(body.subarray(at, at + 1000))
        }
        client.end(`POST /${letter}2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nshort`)
        await once(client, 'close')
        assert.match(got, new RegExp(`/${letter}HTTP.*/${letter}2$`, 's'))
        return body
      })
      const sent = await Promise.all(clients)
      const bodies = kept.map(pieces => Buffer.concat(pieces)).sort(Buffer.compare)
      const wanted = [...sent, ...sent.map(() => Buffer.from('short'))].sort(Buffer.compare)
      assert.equal(bodies.length, wanted.length)
      for (const [n, body] of bodies.entries()) assert.ok(body.equals(wanted[n]!), `body ${n}`)
      engine.close()
      await new Promise(resolve => server.close(resolve))
    })

    test('a paused socket reads no more until it is resumed', async () => {
      const { promise, resolve } = Promise.withResolvers<Socket>()
      let got = 0
      const { server, dial } = await serving(socket => {
        socket.on('data', (bytes: Buffer) => {
          got += bytes.length
          socket.pause()
        })
        socket.on('end', () => socket.end())
        resolve(socket)
      }, path)
      const client = dial()
      client.write('x'.repeat(10))
      const socket = await promise
      while (got === 0) await new Promise(resolve => setImmediate(resolve))
      client.end('y'.repeat(10))
      client.resume()
      for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve))
      assert.equal(got, 10)
      socket.resume()
      while (got < 20) {
        socket.resume()
        await new Promise(resolve => setImmediate(resolve))
      }
      socket.resume()
      await once(client, 'close')
      await new Promise(resolve => server.close(resolve))
    })

    test('the server counts it as its own until it closes', async () => {
      const { promise, resolve } = Promise.withResolvers<Socket>()
      const { server, dial } = await serving(resolve, path)
      const client = dial()
      client.on('error', () => {})
      const socket = await promise
      const count = () => new Promise<number>(resolve => server.getConnections((_, n) => resolve(n)))
      assert.equal(await count(), 1)
      let isClosed = false
      server.close(() => (isClosed = true))
      await new Promise(resolve => setImmediate(resolve))
      assert.equal(isClosed, false)
      socket.destroy()
      await once(server, 'close')
      assert.equal(await count(), 0)
    })
  })
