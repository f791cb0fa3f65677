// Who a client says it is.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { client, type ClientOptions } from 'millrace/client'
import { foreign } from './support/foreign.ts'
import type * as routes from './support/thing.ts'

/** A server that takes one token, and counts who came with which. */
async function guarded(options: ClientOptions) {
  const seen: (string | undefined)[] = []
  const door = { takes: 'Bearer 2' }
  const url = await foreign(({ headers }, response) => {
    seen.push(headers.authorization)
    const isIn = headers.authorization === door.takes
    response.writeHead(isIn ? 200 : 401, { 'content-type': 'application/json' }).end(isIn ? '1' : '{}')
  })
  return { api: client<typeof routes>(url, options), seen, door }
}

describe('authorization', () => {
  test('is sent with every call, as it is', async () => {
    const { api, seen } = await guarded({ authorization: 'Bearer 2' })
    assert.equal((await api.get('/thing')).status, 200)
    assert.deepEqual(seen, ['Bearer 2'])
  })

  test('is asked for before each call, where it is a function', async () => {
    const { api, seen, door } = await guarded({ authorization: () => door.takes })
    await api.get('/thing')
    door.takes = 'Bearer 3'
    assert.equal((await api.get('/thing')).status, 200)
    assert.deepEqual(seen, ['Bearer 2', 'Bearer 3'])
  })

  test('is asked for again after a 401, once for however many calls', async () => {
    let token = 'Bearer 1'
    const renewals: string[] = []
    const { api, seen } = await guarded({
      authorization: async rejected => {
        if (rejected !== undefined) {
          renewals.push(rejected)
          await new Promise(resolve => setTimeout(resolve, 50))
          token = 'Bearer 2'
        }
        return token
      },
    })
    const answers = await Promise.all([api.get('/thing'), api.get('/thing'), api.get('/thing')])
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200],
    )
    assert.deepEqual(renewals, ['Bearer 1'])
    assert.equal(seen.length, 6)
  })

  test('that is refused twice is the answer', async () => {
    const { api, seen } = await guarded({
      authorization: rejected => (rejected === undefined ? 'Bearer a' : 'Bearer b'),
    })
    assert.equal((await api.get('/thing')).status, 401)
    assert.deepEqual(seen, ['Bearer a', 'Bearer b'])
    const same = await guarded({ authorization: () => 'Bearer a' })
    assert.equal((await same.api.get('/thing')).status, 401)
    assert.deepEqual(same.seen, ['Bearer a'])
  })

  test('comes beside headers of the client’s own, and a call’s win', async () => {
    const seen: unknown[] = []
    const url = await foreign(({ headers }, response) => {
      seen.push([headers['x-client'], headers['x-tenant']])
      response.writeHead(200, { 'content-type': 'application/json' }).end('1')
    })
    await client<typeof routes>(url, { headers: { 'x-client': 'a', 'x-tenant': 'b' } }).get('/thing')
    const api = client<typeof routes>(url, { headers: async () => ({ 'x-client': 'a', 'x-tenant': 'b' }) })
    await api.get('/thing', { headers: { 'X-Tenant': 'c' } })
    assert.deepEqual(seen, [
      ['a', 'b'],
      ['a', 'c'],
    ])
  })
})
