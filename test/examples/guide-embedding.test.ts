import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { close, fetch as ask, server } from '../../examples/guide/embedding.ts'

test('the guide’s app inside another server answers what it has routes for, and leaves it the rest', async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  assert.deepEqual(await (await fetch(`${origin}/products/7`)).json(), { id: '7' })
  const upload = await fetch(`${origin}/uploads`, { method: 'POST', body: new Uint8Array(3 << 20) })
  assert.deepEqual(await upload.json(), { bytes: 3 << 20 })
  const other = await fetch(`${origin}/elsewhere`)
  assert.deepEqual([other.status, await other.text()], [404, 'not in the shop'])
  assert.deepEqual(await (await ask(new Request('http://shop.example/products/8'))).json(), { id: '8' })
  await close()
  await assert.rejects(ask(new Request('http://shop.example/products/8')), { code: 'APP_CLOSED' })
})
