// The tool that the fault tests stand on does what it says.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { FaultProxy } from './fault-proxy.ts'

let echo: Server
let proxy: FaultProxy

beforeEach(async () => {
  echo = createServer(socket => socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1')
  await once(echo, 'listening')
  proxy = await FaultProxy.start({ host: '127.0.0.1', port: (echo.address() as AddressInfo).port })
})

afterEach(async () => {
  await proxy.close()
  echo.close()
})

async function dial(): Promise<Socket> {
  const socket = connect(proxy.port, '127.0.0.1').on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** Resolves with what came back once it is as long as what was said. */
async function echoed(socket: Socket, said: string): Promise<string> {
  socket.write(said)
  let heard = ''
  while (heard.length < said.length) heard += String((await once(socket, 'data'))[0])
  return heard
}

/** How a connection ended: in order, or with an error's code. */
async function ending(socket: Socket): Promise<string> {
  socket.resume()
  return new Promise(resolve => {
    socket.once('error', error => resolve((error as NodeJS.ErrnoException).code ?? 'error'))
    socket.once('end', () => resolve('end'))
  })
}

describe('the fault proxy', () => {
  test('passes bytes both ways, and the end of them', async () => {
    const socket = await dial()
    assert.equal(await echoed(socket, 'hello'), 'hello')
    socket.end('bye')
    assert.equal(String((await once(socket, 'data'))[0]), 'bye')
    await once(socket, 'end')
  })

  test('delays and trickles, and keeps the order', async () => {
    proxy.slow({ latencyMs: 30, trickle: { bytes: 3, everyMs: 1 } })
    const socket = await dial()
    const startedMs = performance.now()
    const text = 'the quick brown fox jumps over the lazy dog'
    assert.equal(await echoed(socket, text), text)
    // Once on the way there, once on the way back.
    assert.ok(performance.now() - startedMs >= 58)
    socket.destroy()
  })

  test('holds what is sent until it heals, and loses nothing', async () => {
    const socket = await dial()
    assert.equal(await echoed(socket, 'one'), 'one')
    proxy.hold()
    const held = echoed(socket, 'two')
    const first = await Promise.race([held, new Promise(resolve => setTimeout(resolve, 100, 'silence'))])
    assert.equal(first, 'silence')
    proxy.heal()
    assert.equal(await held, 'two')
    socket.destroy()
  })

  test('cuts in order, resets without, and takes nobody until it heals', async () => {
    const cut = await dial()
    await echoed(cut, 'one')
    const cutEnding = ending(cut)
    proxy.cut()
    assert.equal(await cutEnding, 'end')
    const refused = connect(proxy.port, '127.0.0.1')
    assert.equal(await ending(refused), 'ECONNRESET')
    proxy.heal()
    const reset = await dial()
    await echoed(reset, 'two')
    const resetEnding = ending(reset)
    proxy.reset()
    assert.equal(await resetEnding, 'ECONNRESET')
    assert.equal(proxy.open, 0)
    proxy.heal()
    const healed = await dial()
    assert.equal(await echoed(healed, 'three'), 'three')
    healed.destroy()
  })
})
