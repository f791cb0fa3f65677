// Our HttpArena entry passes what its validation of echo-ws checks, byte by byte.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { test } from 'node:test'
import { serve } from 'millrace/server'
import { DATASET } from '../../bench/profiles.ts'
import { Client } from '../http/support/connect.ts'
import { ACCEPT, closeFrame, closingOf, frame, framesOf, handshake } from '../app/websocket/support.ts'

test("HttpArena's echo-ws: text, bytes and a burst come back, in order and of their kind; a plain GET is a 4xx", async t => {
  process.env['DATASET_PATH'] = DATASET
  const { default: app } = await import('../../bench/httparena/app.ts')
  const server = await serve(app, { port: 0, host: '127.0.0.1', signals: false })
  t.after(() => server.close())
  const open = () => new Client(connect({ port: server.port, host: '127.0.0.1' }), () => {})

  const client = open()
  client.write(handshake('/ws'))
  await client.until(({ text }) => text.includes('\r\n\r\n'))
  assert.match(client.text, /^HTTP\/1\.1 101 Switching Protocols\r\n/)
  assert.ok(client.text.includes(`Sec-WebSocket-Accept: ${ACCEPT}\r\n`))

  const text = `HttpArena-validate-${randomBytes(8).toString('hex')}`
  const bytes = randomBytes(256)
  const burst = Array.from({ length: 5 }, () => randomBytes(12).toString('hex'))
  client.write(frame(text))
  client.write(frame(bytes, 2))
  client.write(burst.map(each => frame(each)).join(''))
  await client.until(({ text }) => framesOf(text).length === 7)
  assert.deepEqual(
    framesOf(client.text).map(({ opcode, payload }) => [
      opcode,
      opcode === 1 ? payload.toString() : payload.toString('hex'),
    ]),
    [[1, text], [2, bytes.toString('hex')], ...burst.map(each => [1, each])],
  )
  client.write(closeFrame(1000, 'validate done'))
  await client.until(({ text }) => closingOf(text) !== undefined)
  assert.equal(closingOf(client.text)!.code, 1000)
  client.stream.end()

  assert.ok([400, 426].includes((await fetch(`${server.url}/ws`, { headers: { connection: 'close' } })).status))
  const healthy = open()
  healthy.write(handshake('/ws') + frame('health'))
  await healthy.until(({ text }) => text.includes('\r\n\r\n') && framesOf(text).length === 1)
  healthy.destroy()
})
