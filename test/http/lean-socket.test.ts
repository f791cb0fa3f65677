import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { leanSocket } from '../../src/http/lean-socket.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-lean-'))
after(() => rmSync(folder, { recursive: true }))

async function served(
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
      const { server, dial } = await served(
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

    test('a large upload arrives whole and in order', async () => {
      const sent = Buffer.alloc(3_000_000, 'The quick brown fox. ')
      const { promise, resolve } = Promise.withResolvers<Buffer>()
      const { server, dial } = await served(socket => {
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

    test('a paused socket reads no more until it is resumed', async () => {
      const { promise, resolve } = Promise.withResolvers<Socket>()
      let got = 0
      const { server, dial } = await served(socket => {
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
      const { server, dial } = await served(resolve, path)
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
