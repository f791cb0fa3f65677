// WebSocket routes behind a node:http server, and what guards them.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { App, dependency } from 'millrace'
import { bearer } from 'millrace/security'
import { SocketRefusedError, testClient } from 'millrace/testing'
import * as z from 'zod'
import { Client } from '../../http/support/connect.ts'
import { silent } from '../support/seams.ts'
import { closingOf, frame, handshake, textsOf } from './support.ts'

function make(events: string[] = []): App {
  const app = new App({ log: silent })
  app.ws('/echo/{n}', { params: z.object({ n: z.int() }), messages: 'text' }, async ({ socket, params, client }) => {
    await socket.send(`${params.n} ${client.address}`)
    for await (const text of socket) await socket.send(text)
    events.push(`ended ${socket.closed?.code}`)
  })
  app.get('/plain', () => 'plain')
  app.post('/plain', { body: z.object({}) }, () => 'posted')
  return app
}

async function serving(t: TestContext, app: App): Promise<{ server: Server; open: () => Client }> {
  const server = createServer(app.nodeHandler()).on('upgrade', app.nodeUpgradeHandler()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(async () => {
    server.close()
    server.closeAllConnections()
    await app.close(1000)
  })
  const { port } = server.address() as AddressInfo
  return { server, open: () => new Client(connect(port, '127.0.0.1'), () => {}) }
}

describe('app.nodeUpgradeHandler()', () => {
  test('opens WebSockets, with what came behind the head', async t => {
    const { open } = await serving(t, make())
    for (let n = 0; n < 2; n++) {
      const client = open()
      client.write(handshake('/echo/7') + frame('one') + frame('two'))
      await client.until(({ text }) => text.includes('\r\n\r\n') && textsOf(text).length === 3)
      assert.match(client.text, /^HTTP\/1\.1 101 /)
      assert.deepEqual(textsOf(client.text), ['7 127.0.0.1', 'one', 'two'])
      client.destroy()
    }
  })

  test('refuses by ordinary answers, and ends the connection behind them', async t => {
    const { open } = await serving(t, make())
    for (const [request, status] of [
      [handshake('/echo/x'), 422],
      [handshake('/nowhere'), 404],
      [handshake('/echo/1', { 'Sec-WebSocket-Version': '8' }), 426],
      [handshake('/echo/1', { Origin: 'https://evil.example' }), 403],
      [handshake('/plain', { Upgrade: 'h2c' }), 200],
      [handshake('/plain', { 'Content-Length': '2' }).replace('GET', 'POST') + '{}', 400],
    ] as const) {
      const client = open()
      client.write(`${request}GET /plain HTTP/1.1\r\nHost: a\r\n\r\n`)
      const answers = await client.ended()
      assert.deepEqual(
        answers.map(answer => answer.status),
        [status],
      )
    }
  })

  test('is ended by app.close() with 1001, which waits for the handlers', async t => {
    const events: string[] = []
    const app = make(events)
    const { open } = await serving(t, app)
    const client = open()
    client.write(handshake('/echo/1'))
    await client.until(({ text }) => text.includes('\r\n\r\n') && textsOf(text).length === 1)
    const closed = app.close(5000)
    await client.until(({ text }) => closingOf(text) !== undefined)
    assert.equal(closingOf(client.text)!.code, 1001)
    client.stream.end()
    await closed
    assert.deepEqual(events, ['ended 1001'])
  })
})

test('credentials are asked for before inputs are judged, and the refusal says how to show them', async () => {
  const app = new App({ log: silent })
  const user = dependency({ security: bearer() }, ({ token }) => token)
  const route = app.ws(
    '/x/{n}',
    { params: z.object({ n: z.int() }), uses: { user }, messages: 'text' },
    ({ socket, user }) => socket.send(user),
  )
  const api = testClient(app)
  const refused = await api.socket('/x/no-number').catch((error: unknown) => error)
  assert.ok(refused instanceof SocketRefusedError)
  assert.equal(refused.status, 401)
  assert.match(refused.headers.get('www-authenticate') ?? '', /^Bearer/)
  const socket = await api.socket(route, { params: { n: 1 }, headers: { authorization: 'Bearer abc' } })
  assert.equal(await socket.receive(), 'abc')
  await api.close()
})
