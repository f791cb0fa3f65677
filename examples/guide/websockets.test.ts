import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { testClient } from 'millrace/testing'
import app, { auction } from './websockets.ts'

const api = testClient(app)
after(() => api.close())

test('a bid reaches everybody, and one that is too low only who made it', async () => {
  const ada = await api.socket(auction, { params: { lot: 'vase' }, headers: { 'x-user': 'Ada' } })
  const bob = await api.socket(auction, { params: { lot: 'vase' }, headers: { 'x-user': 'Bob' } })
  ada.send({ cents: 1000 })
  assert.deepEqual(await bob.receive(), { kind: 'bid', by: 'Ada', cents: 1000 })
  bob.send({ cents: 500 })
  assert.deepEqual(await bob.receive(), { kind: 'refused', why: 'Too low' })
  assert.equal((await bob.close()).code, 1000)
})

test('who says nothing of who they are is refused before the socket opens', async () => {
  await assert.rejects(api.socket(auction, { params: { lot: 'vase' } }), { status: 401 })
})
