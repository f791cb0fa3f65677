// Which calls are made again, when, and how often at most.
import assert from 'node:assert/strict'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { describe, test } from 'node:test'
import { client, type ClientOptions } from 'millrace/client'
import { Retry, retryAfterMs } from '../../src/client/retry.ts'
import { foreign } from './support/foreign.ts'
import type * as routes from './support/thing.ts'

type Seen = Pick<IncomingMessage, 'method' | 'headers'>

/** Answers with each of these in turn, the last one for ever, and keeps what it was asked. */
async function scripted(script: readonly ((response: ServerResponse) => void)[], options: ClientOptions = {}) {
  const seen: Seen[] = []
  const listener: RequestListener = ({ method, headers }, response) => {
    script[Math.min(seen.push({ method: method!, headers }), script.length) - 1]!(response)
  }
  const api = client<typeof routes>(await foreign(listener), { retry: { firstWait: 1 }, ...options })
  return { api, seen }
}

const fine = (response: ServerResponse) => response.writeHead(200, { 'content-type': 'application/json' }).end('1')
const lost = (response: ServerResponse) => response.destroy()
const cut = (response: ServerResponse) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': 100 })
  response.write('[', () => response.destroy())
}
const refused = (status: number, retryAfter?: string) => (response: ServerResponse) =>
  response
    .writeHead(status, {
      'content-type': 'application/problem+json',
      ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
    })
    .end(JSON.stringify({ type: 'about:blank', title: 'Busy', status }))

describe('a call is made again', () => {
  for (const [what, script] of [
    ['429', [refused(429), fine]],
    ['503 with Retry-After', [refused(503, '0'), fine]],
  ] as const)
    test(`after ${what}, whatever its method`, async () => {
      for (const method of ['get', 'put', 'post', 'patch'] as const) {
        const { api, seen } = await scripted(script)
        assert.deepEqual([(await api[method]('/thing')).status, seen.length], [200, 2], method)
      }
    })

  for (const [what, script] of [
    ['503 without Retry-After', [refused(503), fine]],
    ['a lost answer', [lost, fine]],
    ['one cut off in its body', [cut, fine]],
  ] as const)
    test(`after ${what}, where it may run twice, and not elsewhere`, async () => {
      for (const method of ['get', 'put'] as const) {
        const { api, seen } = await scripted(script)
        assert.deepEqual([(await api[method]('/thing')).status, seen.length], [200, 2], method)
      }
      for (const method of ['post', 'patch'] as const) {
        const { api, seen } = await scripted(script)
        const status = await api[method]('/thing').then(
          answer => answer.status,
          (error: { code: string }) => error.code,
        )
        assert.deepEqual([status, seen.length], [what.startsWith('503') ? 503 : 'CLIENT_NO_ANSWER', 1], method)
      }
      // The caller's own key is its word that the server does the work once.
      for (const input of [{ idempotencyKey: 'order-7' }, { headers: { 'Idempotency-Key': 'order-7' } }]) {
        const { api, seen } = await scripted(script)
        assert.equal((await api.post('/thing', input)).status, 200)
        assert.deepEqual(
          seen.map(({ headers }) => headers['idempotency-key']),
          ['order-7', 'order-7'],
        )
      }
    })

  test('under one idempotency key, made for each POST and PATCH and for nothing else', async () => {
    const { api, seen } = await scripted([refused(429), fine])
    await api.post('/thing')
    await api.post('/thing')
    await api.get('/thing')
    const [first, again, second, read] = seen.map(({ headers }) => headers['idempotency-key'])
    assert.match(String(first), /^[0-9a-f-]{36}$/)
    assert.equal(again, first)
    assert.notEqual(second, first)
    assert.equal(read, undefined)
  })

  test('with the time that is left in a header', async () => {
    const { api, seen } = await scripted([refused(429, '1'), fine])
    await api.get('/thing', { timeout: '5s' })
    const [first, second] = seen.map(({ headers }) => Number(headers['request-timeout-ms']))
    assert.ok(first! > 0 && first! <= 5_000, `${first}`)
    assert.ok(second! > 0 && second! <= first! - 1_000, `${second} after ${first}`)
  })

  test('at most as often as is allowed, and the refusal is then the answer', async () => {
    const { api, seen } = await scripted([refused(503, '0')], { retry: { attempts: 4, firstWait: 1 } })
    const answer = await api.get('/thing')
    assert.equal(answer.status, 503)
    assert.ok(answer.status === 503 && answer.body.title === 'Busy')
    assert.equal(seen.length, 4)
  })

  test('never, where retries are off for the client or for the call', async () => {
    const off = await scripted([refused(503, '0')], { retry: false })
    assert.equal((await off.api.get('/thing')).status, 503)
    assert.equal(off.seen.length, 1)
    const on = await scripted([refused(503, '0')])
    assert.equal((await on.api.get('/thing', { retry: false })).status, 503)
    assert.equal(on.seen.length, 1)
  })

  test('never, when the server asks for more patience than the call has time, or than is allowed', async () => {
    for (const input of [{ timeout: '1s' }, {}] as const) {
      const { api, seen } = await scripted([refused(503, '60')])
      assert.equal((await api.get('/thing', input)).status, 503)
      assert.equal(seen.length, 1)
    }
  })

  test('for a share of all calls and no more, when nothing is answered', async () => {
    const { api, seen } = await scripted([refused(503, '0')], { retry: { attempts: 3, share: 0.1, firstWait: 1 } })
    for (let n = 0; n < 20; n++) await Promise.all(Array.from({ length: 10 }, () => api.get('/thing')))
    // 200 calls, 10 saved at the beginning, and a tenth.
    assert.ok(seen.length <= 200 + 10 + 20, `${seen.length} requests`)
    assert.ok(seen.length > 200 + 20, `${seen.length} requests`)
  })

  test('never, when its body is a stream, which is gone', async () => {
    const { api, seen } = await scripted([refused(429), fine])
    const body = new Blob(['abc']).stream()
    const response = await api.fetch('PUT', '/thing', { body } as never)
    assert.deepEqual([response.status, seen.length], [429, 1])
  })

  test('not while it waits, once its signal says so', async () => {
    const { api, seen } = await scripted([refused(503, '5'), fine])
    const leaving = new AbortController()
    const asked = api.get('/thing', { signal: leaving.signal })
    while (seen.length === 0) await new Promise(setImmediate)
    setTimeout(() => leaving.abort(new Error('enough')), 20)
    await assert.rejects(asked, /enough/)
    assert.equal(seen.length, 1)
  })
})

describe('the wait', () => {
  const answered = (retryAfter?: string) => ({
    status: 503,
    headers: new Headers(retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
  })
  const wait = (random: number, retryAfter: string | undefined, attempt = 1, leftMs = 60_000) =>
    new Retry({ attempts: 100 }, () => random).waitMs(answered(retryAfter), true, attempt, leftMs)

  test('is never shorter than the server asks for, and spread out above it', () => {
    assert.equal(wait(0, '4'), 4000)
    assert.equal(wait(0.5, '4'), 4500)
    assert.equal(wait(1, '4'), 5000)
    assert.equal(wait(1, '0'), 100)
  })

  test('is anywhere up to a bound that doubles, where the server names none', () => {
    assert.deepEqual(
      [1, 2, 3, 8, 20].map(attempt => wait(1, undefined, attempt)),
      [100, 200, 400, 10_000, 10_000],
    )
    assert.equal(wait(0, undefined, 5), 0)
  })

  test('is not begun when it is too long', () => {
    assert.equal(wait(0, '11'), undefined)
    assert.equal(wait(0, '10', 1, 10_001), 10_000)
    assert.equal(wait(0, '10', 1, 10_000), undefined)
  })

  test('is read from seconds and dates', () => {
    const at = (text: string) => retryAfterMs(new Headers({ 'retry-after': text }), Date.UTC(2026, 10, 2, 9, 30))
    assert.equal(at('120'), 120_000)
    assert.equal(at('Mon, 02 Nov 2026 09:30:05 GMT'), 5_000)
    assert.equal(at('Mon, 02 Nov 2026 09:00:00 GMT'), 0)
    for (const text of ['soon', '-1', '1.5', '']) assert.equal(at(text), undefined)
    assert.equal(retryAfterMs(new Headers()), undefined)
  })

  test('of options that make no sense is refused', () => {
    for (const retry of [{ attempts: 0 }, { attempts: 1.5 }, { share: 2 }, { share: NaN }])
      assert.throws(() => client('https://shop.example', { retry }), { code: 'CLIENT_BAD_OPTIONS' })
    assert.throws(() => client('https://shop.example', { timeout: 'soon' as never }), { code: 'CORE_BAD_DURATION' })
  })
})
