// The tour's steps about WebSockets do what their comments promise.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { SocketRefusedError, testClient } from 'millrace/testing'
import websockets from '../../examples/tour/16-websockets.ts'
import rooms, { chat } from '../../examples/tour/17-rooms.ts'

describe('talking both ways', () => {
  test('a game is played, a bad guess is told what is wrong, and who is not known never gets in', async () => {
    const api = testClient(websockets)
    after(() => api.close())
    const refusal = await api.socket('/game/42?token=guess').catch((error: unknown) => error)
    assert.ok(refusal instanceof SocketRefusedError)
    assert.equal(refusal.status, 401)
    const socket = await api.socket('/game/42?token=secret')
    socket.send({ number: 50 })
    assert.deepEqual(await socket.receive(), { hint: 'lower', guesses: 1, player: 'Ada' })
    socket.send({ number: 0 })
    assert.match(JSON.stringify(await socket.receive()), /"status":422.*"loc":\["message","number"\]/)
    socket.send({ number: 42 })
    assert.deepEqual(await socket.receive(), { hint: 'right', guesses: 2, player: 'Ada' })
    assert.deepEqual(await socket.closed, { code: 1000, reason: 'well done' })
    assert.equal((await api.fetch('/game/42?token=secret')).status, 426)
  })
})

describe('rooms', () => {
  test('who is in one hears who comes, what others say, notices, and who goes', async () => {
    const api = testClient(rooms)
    after(() => api.close())
    const ada = await api.socket(chat, { params: { room: 'tea' }, query: { name: 'Ada' } })
    const bob = await api.socket(chat, { params: { room: 'tea' }, query: { name: 'Bob' } })
    assert.deepEqual(await ada.receive(), { kind: 'joined', name: 'Bob' })
    ada.send({ text: 'Milk?' })
    assert.deepEqual(await bob.receive(), { kind: 'said', name: 'Ada', text: 'Milk?' })
    const posted = await api.fetch('/chat/tea/notices', {
      method: 'POST',
      body: '{"text":"Closing soon"}',
      headers: { 'content-type': 'application/json' },
    })
    assert.equal(posted.status, 204)
    for (const socket of [ada, bob]) assert.deepEqual(await socket.receive(), { kind: 'notice', text: 'Closing soon' })
    await bob.close()
    assert.deepEqual(await ada.receive(), { kind: 'left', name: 'Bob' })
    for (let n = 0; n < 12; n++) ada.send({ text: 'Hello?' })
    assert.equal((await ada.closed).code, 1008)
  })
})
