// Streams as a caller reads them: item by item, on after a lost connection, and no longer than wanted.
import assert from 'node:assert/strict'
import type { RequestListener, ServerResponse } from 'node:http'
import { after, describe, test } from 'node:test'
import { CallError, client } from 'millrace/client'
import { serve } from 'millrace/server'
import { foreign } from './support/foreign.ts'
import { app, left } from './support/streams.ts'
import type * as routes from './support/streams.ts'

// The grace time is for connections that are kept when the tests are done.
const server = await serve(app, { port: 0, host: '127.0.0.1', signals: false, graceTimeout: 100 })
after(() => server.close())
const api = client<typeof routes>(server.url)

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

/** Answers each request with the next of these, and keeps what it was asked with. */
async function scripted(script: readonly ((response: ServerResponse) => void)[]) {
  const ids: (string | undefined)[] = []
  const listener: RequestListener = ({ headers }, response) => {
    const at = ids.push(headers['last-event-id'] as string | undefined) - 1
    script[at]!(response)
  }
  return { api: client<typeof routes>(await foreign(listener), { retry: false }), ids }
}

const said =
  (text: string, isCut = false) =>
  (response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(text, () => (isCut ? response.destroy() : response.end()))
  }

describe('JSON lines', () => {
  test('come item by item', async () => {
    const answer = await api.get('/rows')
    assert.ok(answer.status === 200)
    assert.deepEqual(
      await all(answer.body),
      [1, 2, 3].map(n => ({ n, at: '1970-01-01T00:00:00.000Z' })),
    )
  })

  test('that are cut off are an error behind the last whole item', async () => {
    const answer = await api.get('/rows', { query: { cutAfter: 2 } })
    assert.ok(answer.status === 200)
    const found: number[] = []
    await assert.rejects(
      async () => {
        for await (const { n } of answer.body) found.push(n)
      },
      (error: unknown) => {
        assert.ok(error instanceof CallError)
        assert.equal(error.code, 'CLIENT_NO_ANSWER')
        assert.match(error.message, /^GET \/rows was cut off: /)
        return true
      },
    )
    assert.deepEqual(found, [1, 2])
  })
})

describe('events', () => {
  test('come with their names, and end with their stream', async () => {
    const answer = await api.get('/finite')
    assert.ok(answer.status === 200)
    assert.deepEqual(await all(answer.body), [{ event: 'tick', data: { n: 1 } }, { data: { n: 2 } }])
  })

  test('go on behind the last one, each once, however often the connection is lost', async () => {
    const answer = await api.get('/broken')
    assert.ok(answer.status === 200)
    const found: number[] = []
    for await (const { data, id } of answer.body) {
      assert.equal(id, String(data))
      if (found.push(data) === 10) break
    }
    assert.deepEqual(found, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  })

  test('that are text are text, when the call says so', async () => {
    const answer = await api.get('/words', { eventData: 'text' })
    assert.ok(answer.status === 200)
    assert.deepEqual(await all(answer.body), [{ data: '1' }, { data: 'two\nlines' }])
  })

  test('of a POST are not asked for twice', async () => {
    const answer = await api.post('/chat')
    assert.ok(answer.status === 200)
    const found: string[] = []
    await assert.rejects(
      async () => {
        for await (const { data } of answer.body) found.push(data)
      },
      { code: 'CLIENT_NO_ANSWER' },
    )
    assert.deepEqual(found, ['Hello'])
  })

  test('end on the server when their reader leaves the loop, or its signal aborts', async () => {
    const answer = await api.get('/endless', { timeout: 1000 })
    assert.ok(answer.status === 200)
    for await (const { data } of answer.body) if (data === 3) break
    await left.soon.promise
    left.soon = Promise.withResolvers()
    const leaving = new AbortController()
    const again = await api.get('/endless', { signal: leaving.signal })
    assert.ok(again.status === 200)
    await assert.rejects(async () => {
      for await (const { data } of again.body) if (data === 3) leaving.abort(new Error('enough'))
    }, /enough/)
    await left.soon.promise
  })

  test('come again after a server that drains, from the one that follows it', async () => {
    const { api, ids } = await scripted([said('id: 1\ndata: 1\n\nretry: 1\n\n'), said('id: 2\ndata: 2\n\n')])
    const answer = await api.get('/endless')
    assert.ok(answer.status === 200)
    assert.deepEqual(await all(answer.body), [
      { id: '1', data: 1 },
      { id: '2', data: 2 },
    ])
    assert.deepEqual(ids, [undefined, '1'])
  })

  test('wait for a server that is away or busy, and end with its 204', async () => {
    const { api, ids } = await scripted([
      said('retry: 1\nid: 7\ndata: 1\n\nid: 8\ndata: cut off', true),
      response => response.destroy(),
      response => response.writeHead(503, { 'retry-after': '0' }).end(),
      said(': nothing new\n\n', true),
      response => response.writeHead(204).end(),
    ])
    const answer = await api.get('/endless')
    assert.ok(answer.status === 200)
    assert.deepEqual(await all(answer.body), [{ id: '7', data: 1, retry: 1 }])
    assert.deepEqual(ids, [undefined, '7', '7', '7', '7'])
  })

  test('stop with an error where the client is not let in again', async () => {
    const { api } = await scripted([
      said('retry: 1\ndata: 1\n\n', true),
      response => response.writeHead(403, { 'content-type': 'application/json' }).end('{}'),
    ])
    const answer = await api.get('/endless')
    assert.ok(answer.status === 200)
    await assert.rejects(all(answer.body), {
      code: 'CLIENT_NO_ANSWER',
      message: 'GET /endless could not go on: it was answered 403 when it came back',
    })
  })
})
