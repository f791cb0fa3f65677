import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { App } from 'millrace'
import { json, onEachSeam, silent } from './support/seams.ts'

type Problem = {
  status: number
  detail?: string
  errors?: { type: string; loc: (string | number)[]; input: unknown }[]
}
const told = async (answer: Response) => {
  const body = (await answer.json()) as Problem
  return (body.errors ?? []).map(({ type, loc }) => `${loc.join('.')} ${type}`)
}

const make = (errorFormat: 'problem' | 'fastapi' = 'problem') => {
  const app = new App({ log: silent, errorFormat })
  app.get(
    '/items/{id}',
    {
      params: z.object({ id: z.int().positive() }),
      query: z.object({
        page: z.int().default(1),
        tag: z.array(z.string()).default([]),
        q: z.string().optional(),
        on: z.boolean().default(false),
      }),
      headers: z.object({ 'x-token': z.string().optional() }),
      cookies: z.object({ session: z.string().optional() }),
    },
    ({ params, query, headers, cookies }) => ({ params, query, headers, cookies }),
  )
  app.post(
    '/items',
    {
      body: z.strictObject({
        name: z.string().min(2),
        price: z.number().positive(),
        tags: z.array(z.string()).max(2).default([]),
      }),
    },
    ({ body }) => body,
  )
  app.post('/maybe', { body: z.object({ a: z.int() }).optional() }, ({ body }) => ({ got: body ?? null }))
  app.post('/small', { body: z.string(), maxBodyBytes: 16 }, ({ body }) => body)
  app.post('/note', { body: z.string().max(8), bodyType: 'text/plain' }, ({ body }) => ({ note: body }))
  app.post('/number', { body: z.coerce.number().int(), bodyType: 'text/plain' }, ({ body }) => body)
  const read = async ({ request }: { request: Request }) => (await request.text()).length
  app.post('/stream', read)
  app.post('/small-stream', { maxBodyBytes: 16 }, read)
  app.post('/large-stream', { maxBodyBytes: 2 * 2 ** 20 }, read)
  app.post(
    '/all/{id}',
    {
      params: z.object({ id: z.int() }),
      query: z.object({ q: z.string() }),
      headers: z.object({ 'x-a': z.string() }),
      cookies: z.object({ c: z.string() }),
      body: z.object({ b: z.int() }),
    },
    () => 1,
  )
  app.post(
    '/late',
    { body: z.object({ name: z.string().refine(async name => name !== 'taken', 'taken') }) },
    ({ body }) => body,
  )
  return app
}

describe('input', () => {
  onEachSeam('strings are converted by the type that the schema declares', make, async ask => {
    const answer = await ask('/items/7?page=2&tag=a&tag=b&on=true', {
      headers: { 'X-Token': 't', cookie: 'session=s%20x; other=1' },
    })
    assert.deepEqual(await answer.json(), {
      params: { id: 7 },
      query: { page: 2, tag: ['a', 'b'], on: true },
      headers: { 'x-token': 't' },
      cookies: { session: 's x' },
    })
  })

  onEachSeam(
    "a body read from the request is bounded by its route, below and above the server's own bound",
    make,
    async ask => {
      const send = (path: `/${string}`, bytes: number) => ask(path, { method: 'POST', body: 'x'.repeat(bytes) })
      assert.equal((await send('/small-stream', 17)).status, 413)
      assert.equal(await (await send('/small-stream', 16)).json(), 16)
      assert.equal((await send('/stream', 2 ** 20 + 1)).status, 413)
      assert.equal(await (await send('/large-stream', 2 ** 20 + 1)).json(), 2 ** 20 + 1)
    },
  )

  onEachSeam('an empty field is a value and not a missing one', make, async ask => {
    const answer = await ask('/items/7', { headers: { 'X-Token': '' } })
    assert.deepEqual(((await answer.json()) as { headers: unknown }).headers, { 'x-token': '' })
  })

  onEachSeam(
    'defaults fill what is missing, one value makes a list of one, the last of repeats wins',
    make,
    async ask => {
      const { query } = (await (await ask('/items/7?tag=a&page=1&page=3')).json()) as { query: unknown }
      assert.deepEqual(query, { page: 3, tag: ['a'], on: false })
    },
  )

  onEachSeam('a wrong value is a 422 that says where and why', make, async ask => {
    const answer = await ask('/items/abc?page=x')
    assert.equal(answer.status, 422)
    assert.equal(answer.headers.get('content-type'), 'application/problem+json')
    assert.deepEqual(await told(answer), ['path.id int_parsing', 'query.page int_parsing'])
    assert.deepEqual(await told(await ask('/items/0')), ['path.id greater_than'])
  })

  onEachSeam('issues of all places come in one answer, in order', make, async ask => {
    assert.deepEqual(await told(await ask('/all/x', json({ b: 'no' }))), [
      'path.id int_parsing',
      'query.q missing',
      'header.x-a missing',
      'cookie.c missing',
      'body.b int_type',
    ])
  })

  onEachSeam('a body is decoded, and every issue in it told', make, async ask => {
    assert.deepEqual(await (await ask('/items', json({ name: 'ab', price: 1.5 }))).json(), {
      name: 'ab',
      price: 1.5,
      tags: [],
    })
    assert.deepEqual(
      (await told(await ask('/items', json({ name: 'a', price: -1, tags: ['a', 'b', 'c'], more: 1 })))).sort(),
      ['body.more extra_forbidden', 'body.name string_too_short', 'body.price greater_than', 'body.tags too_long'],
    )
  })

  onEachSeam('a missing body is told as missing, and an optional one is none', make, async ask => {
    assert.deepEqual(await told(await ask('/items', { method: 'POST' })), ['body missing'])
    assert.deepEqual(await (await ask('/maybe', { method: 'POST' })).json(), { got: null })
    assert.deepEqual(await (await ask('/maybe', json({ a: 1 }))).json(), { got: { a: 1 } })
  })

  onEachSeam('malformed JSON is a 400, another content type a 415', make, async ask => {
    const post = (body: string | Uint8Array<ArrayBuffer>, type = 'application/json') =>
      ask('/items', { method: 'POST', body, headers: { 'content-type': type } })
    for (const body of [
      '{',
      '{"a":1}x',
      '\ufeff{}',
      '{"__proto__":1}',
      `${'['.repeat(65)}${']'.repeat(65)}`,
      new Uint8Array([0x22, 0xff, 0x22]),
    ])
      assert.equal((await post(body)).status, 400, String(body))
    for (const type of [
      'text/plain',
      'application/jsonx',
      'application/json; x',
      'application/json, text/plain',
      'application/json; charset=latin1',
    ])
      assert.equal((await post('{}', type)).status, 415, type)
    for (const type of ['application/json; charset=utf-8', 'APPLICATION/JSON', 'application/merge-patch+json'])
      assert.equal((await post('{"name":"ab","price":1}', type)).status, 200, type)
  })

  onEachSeam('a text body is a string to its schema, in UTF-8 and nothing else', make, async ask => {
    const post = (path: `/${string}`, body: string | Uint8Array<ArrayBuffer>, type = 'text/plain') =>
      ask(path, { method: 'POST', headers: { 'content-type': type }, body })
    for (const type of [
      'text/plain',
      'Text/Plain; charset=UTF-8',
      'text/plain;charset="utf-8"',
      'text/plain; charset=us-ascii',
    ])
      assert.deepEqual(await (await post('/note', 'né "x"', type)).json(), { note: 'né "x"' }, type)
    assert.deepEqual(await (await post('/note', '')).json(), { note: '' })
    assert.equal(await (await post('/number', '20')).json(), 20)
    assert.deepEqual(await told(await post('/number', '2x')), ['body finite_number'])
    assert.deepEqual(await told(await post('/note', 'ninechars')), ['body string_too_long'])
    assert.deepEqual(await told(await ask('/note', { method: 'POST' })), ['body missing'])
    assert.equal((await post('/note', Uint8Array.of(0xc3, 0x28))).status, 400)
    for (const type of [
      'application/json',
      'text/plain; charset=latin1',
      'text/plain; format=flowed',
      'text/html',
      'text/plain, text/plain',
    ])
      assert.equal((await post('/note', 'x', type)).status, 415, type)
  })

  onEachSeam('a body over the route’s limit is a 413, and the handler never runs', make, async ask => {
    assert.equal((await ask('/small', json('x'.repeat(14)))).status, 200)
    assert.equal((await ask('/small', json('x'.repeat(15)))).status, 413)
  })

  const streamed = () => {
    const app = new App({ log: silent })
    const received = async ({ request }: { request: Request }) => (await request.text()).length
    app.post('/default', received)
    app.post('/small', { maxBodyBytes: 16 }, received)
    app.post('/large', { maxBodyBytes: 3_000_000 }, received)
    return app
  }
  onEachSeam(
    'the limit holds for a body that the handler streams, lower or higher than the usual',
    streamed,
    async ask => {
      const status = async (path: `/${string}`, size: number) =>
        (await ask(path, { method: 'POST', body: 'x'.repeat(size) })).status
      assert.equal(await status('/small', 16), 200)
      assert.equal(await status('/small', 17), 413)
      assert.equal(await status('/default', 1_048_577), 413)
      assert.equal(await status('/large', 3_000_000), 200)
      assert.equal(await status('/large', 3_000_001), 413)
    },
  )

  onEachSeam('an asynchronous refinement is waited for', make, async ask => {
    assert.deepEqual(await (await ask('/late', json({ name: 'free' }))).json(), { name: 'free' })
    assert.deepEqual(await told(await ask('/late', json({ name: 'taken' }))), ['body.name value_error'])
  })

  onEachSeam('a query of over 1,000 parameters is a 400', make, async ask => {
    assert.equal((await ask(`/items/1?${'a&'.repeat(1000)}`)).status, 200)
    assert.equal((await ask(`/items/1?${'a&'.repeat(1001)}`)).status, 400)
  })

  onEachSeam('names that objects inherit are names like any other', make, async ask => {
    const answer = await ask('/items/1?__proto__=1&constructor=2&toString=3', { headers: { cookie: '__proto__=1' } })
    assert.equal(answer.status, 200)
  })
})

describe("errorFormat 'fastapi'", () => {
  const fastapi = () => make('fastapi')
  onEachSeam('has FastAPI’s shapes and statuses', fastapi, async ask => {
    const wrong = await ask('/items/abc')
    assert.equal(wrong.status, 422)
    assert.equal(wrong.headers.get('content-type'), 'application/json')
    assert.deepEqual(await wrong.json(), {
      detail: [
        {
          type: 'int_parsing',
          loc: ['path', 'id'],
          msg: 'Input should be a valid integer, unable to parse string as an integer',
          input: 'abc',
        },
      ],
    })
    const malformed = await ask('/items', {
      method: 'POST',
      body: '{"a":',
      headers: { 'content-type': 'application/json' },
    })
    assert.equal(malformed.status, 422)
    const { detail } = (await malformed.json()) as { detail: { type: string; loc: unknown[]; msg: string }[] }
    assert.equal(detail[0]?.type, 'json_invalid')
    assert.equal(detail[0]?.msg, 'JSON decode error')
    const text = await ask('/items', { method: 'POST', body: 'x', headers: { 'content-type': 'text/plain' } })
    assert.equal(text.status, 422)
    assert.deepEqual(await (await ask('/nope')).json(), { detail: 'Not Found' })
  })
})

test('a schema that cannot be described stops the start, naming route and place', async () => {
  const app = new App({ log: silent })
  app.get('/odd', { returns: z.object({ a: z.string().transform(text => text.length) }) }, () => ({ a: 1 }) as never)
  await assert.rejects(app.start(), (error: Error) => {
    assert.match(error.message, /GET \/odd/)
    assert.match(error.message, /\ba\b/)
    return true
  })
})
