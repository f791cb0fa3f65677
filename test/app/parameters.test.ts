// Path, query, headers and cookies, one test for each rule of FEATURES 1.2 that is not in input.test.ts.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { App } from 'millrace'
import { testClient } from 'millrace/testing'
import { get, overSocket } from './support/over-tcp.ts'
import { json, onEachSeam, silent, type Ask } from './support/seams.ts'

type Issues = { errors: { type: string; loc: (string | number)[]; input: unknown }[] }
const told = async (answer: Response) => {
  assert.equal(answer.status, 422)
  return ((await answer.json()) as Issues).errors.map(({ type, loc }) => `${loc.join('.')} ${type}`)
}
const body = async (ask: Ask, path: `/${string}`, init?: RequestInit) => (await ask(path, init)).json()

describe('query', () => {
  const make = () => {
    const app = new App({ log: silent })
    app.get('/scalars', { query: z.object({ a: z.int().optional(), s: z.string().optional() }) }, ({ query }) => query)
    app.get(
      '/lists',
      {
        query: z.object({
          list: z.array(z.int()).default([]),
          set: z.set(z.int()).default(new Set<number>()),
          tuple: z.tuple([z.int(), z.string()]).optional(),
        }),
      },
      ({ query }) => ({ ...query, set: [...query.set] }),
    )
    app.get(
      '/unions',
      {
        query: z.object({
          a: z.union([z.int(), z.boolean(), z.iso.date(), z.string()]).optional(),
          b: z.union([z.array(z.int()), z.string()]).optional(),
          c: z.union([z.literal('all'), z.int().min(1)]).optional(),
        }),
      },
      ({ query }) => query,
    )
    app.get(
      '/tagged',
      {
        query: z.discriminatedUnion('by', [
          z.object({ by: z.literal('id'), id: z.int() }),
          z.object({ by: z.literal('name'), name: z.string(), exact: z.boolean().default(false) }),
        ]),
      },
      ({ query }) => query,
    )
    app.get('/strict', { query: z.strictObject({ limit: z.int().default(10) }) }, ({ query }) => query)
    app.get('/plain', { query: z.object({ limit: z.int().default(10) }) }, ({ query }) => query)
    app.get('/loose', { query: z.looseObject({ limit: z.int().default(10) }) }, ({ query }) => query)
    app.get('/record', { query: z.record(z.string().max(3), z.int()) }, ({ query }) => query)
    app.get(
      '/named',
      { query: z.object({ 'item-query': z.string().min(2), class: z.string().optional() }) },
      ({ query: { 'item-query': q } }) => ({ q }),
    )
    app.get('/default', { query: z.object({ a: z.array(z.int()).default([]) }) }, ({ query }) => {
      query.a.push(1)
      return query.a
    })
    app.get(
      '/kinds',
      {
        query: z.object({
          date: z.date().optional(),
          day: z.iso.date().optional(),
          time: z.iso.time().optional(),
          duration: z.iso.duration().optional(),
          uuid: z.uuid().optional(),
          big: z.bigint().optional(),
          price: z
            .string()
            .regex(/^\d+\.\d\d$/)
            .optional(),
          size: z.enum(['s', 'm']).optional(),
          level: z.literal([1, 2]).optional(),
          nothing: z.int().nullable().optional(),
        }),
      },
      ({ query }) => ({ ...query, big: query.big?.toString() }),
    )
    return app
  }

  onEachSeam('the last of repeated scalars wins, and a blank is kept: no integer, but a text', make, async ask => {
    assert.deepEqual(await body(ask, '/scalars?a=1&a=2&s='), { a: 2, s: '' })
    assert.deepEqual(await told(await ask('/scalars?a=')), ['query.a int_parsing'])
    assert.deepEqual(await body(ask, '/scalars'), {})
  })

  onEachSeam('repeated keys are a list, a set or a tuple, in order; a comma does not split', make, async ask => {
    assert.deepEqual(await body(ask, '/lists?list=2&list=1&set=1&set=1&tuple=1&tuple=x'), {
      list: [2, 1],
      set: [1],
      tuple: [1, 'x'],
    })
    assert.deepEqual(await body(ask, '/lists'), { list: [], set: [] })
    assert.deepEqual(await told(await ask('/lists?list=1,2')), ['query.list.0 int_parsing'])
    assert.deepEqual(await told(await ask('/lists?list=1&list=x&list=y')), [
      'query.list.1 int_parsing',
      'query.list.2 int_parsing',
    ])
    assert.deepEqual(await told(await ask('/lists?tuple=1')), ['query.tuple.1 missing'])
    assert.deepEqual(await told(await ask('/lists?tuple=1&tuple=a&tuple=b')), ['query.tuple too_long'])
  })

  onEachSeam('a union tries its members in order', make, async ask => {
    for (const [text, value] of [
      ['5', 5],
      ['yes', true],
      ['2026-11-26', '2026-11-26'],
      ['other', 'other'],
    ])
      assert.deepEqual(await body(ask, `/unions?a=${text as string}`), { a: value })
    assert.deepEqual(await body(ask, '/unions?b=1&b=2&c=all'), { b: [1, 2], c: 'all' })
    assert.deepEqual(await body(ask, '/unions?b=x&c=7'), { b: 'x', c: 7 })
    assert.deepEqual(await told(await ask('/unions?c=0')), ['query.c greater_than_equal'])
  })

  onEachSeam('a whole query may be a discriminated union', make, async ask => {
    assert.deepEqual(await body(ask, '/tagged?by=id&id=5'), { by: 'id', id: 5 })
    assert.deepEqual(await body(ask, '/tagged?by=name&name=x'), { by: 'name', name: 'x', exact: false })
    assert.deepEqual(await told(await ask('/tagged?by=id&id=x')), ['query.id int_parsing'])
    assert.deepEqual(await told(await ask('/tagged?by=age')), ['query union_tag_invalid'])
    assert.deepEqual(await told(await ask('/tagged')), ['query union_tag_not_found'])
  })

  onEachSeam('a model ignores what it does not know, refuses it, or hands it on, as it says', make, async ask => {
    assert.deepEqual(await body(ask, '/plain?limit=5&tool=x'), { limit: 5 })
    assert.deepEqual(await told(await ask('/strict?limit=5&tool=x')), ['query.tool extra_forbidden'])
    assert.deepEqual(await body(ask, '/loose?limit=5&tool=x&tool=y'), { limit: 5, tool: 'y' })
    assert.deepEqual(await body(ask, '/record?a=1&b=2'), { a: 1, b: 2 })
    assert.deepEqual(await told(await ask('/record?a=x')), ['query.a int_parsing'])
    assert.deepEqual(await told(await ask('/record?long-name=1')), ['query.long-name.[key] string_too_long'])
  })

  onEachSeam('the key of a schema is the name on the wire, so any name can be had', make, async ask => {
    assert.deepEqual(await body(ask, '/named?item-query=foo'), { q: 'foo' })
    assert.deepEqual(await told(await ask('/named')), ['query.item-query missing'])
  })

  onEachSeam('a default is another one for each request', make, async ask => {
    for (let n = 0; n < 3; n++) assert.deepEqual(await body(ask, '/default'), [1])
  })

  onEachSeam('dates, times, durations, UUIDs, big integers, decimals, choices and null', make, async ask => {
    const good = {
      date: '2026-11-26T10:00:00.000Z',
      day: '2026-11-26',
      time: '10:00',
      duration: 'PT5M',
      uuid: 'ebd2c2ea-1f4d-4d0f-9e45-3a5d1a8b9c0d',
      big: '123456789012345678901234567890',
      price: '1.10',
      size: 'm',
    }
    assert.deepEqual(await body(ask, `/kinds?${new URLSearchParams(good)}&level=2&nothing=null`), {
      ...good,
      level: 2,
      nothing: null,
    })
    const bad = Object.fromEntries([...Object.keys(good), 'level', 'nothing'].map(name => [name, 'x']))
    assert.deepEqual(await told(await ask(`/kinds?${new URLSearchParams(bad)}`)), [
      'query.date datetime_from_date_parsing',
      'query.day date_from_datetime_parsing',
      'query.time time_parsing',
      'query.duration time_delta_parsing',
      'query.uuid uuid_parsing',
      'query.big int_parsing',
      'query.price string_pattern_mismatch',
      'query.size enum',
      'query.level literal_error',
      'query.nothing int_parsing',
    ])
  })
})

describe('headers', () => {
  const make = () => {
    const app = new App({ log: silent })
    app.get(
      '/named',
      { headers: z.object({ userAgent: z.string(), x_token: z.string().optional(), 'X-Count': z.int().optional() }) },
      ({ headers: { userAgent, x_token, 'X-Count': count } }) => ({ userAgent, x_token, count }),
    )
    app.get('/list', { headers: z.object({ xTag: z.array(z.int()) }) }, ({ headers }) => headers.xTag)
    app.get('/strict', { headers: z.strictObject({ 'x-a': z.string().optional() }) }, ({ headers }) => headers)
    app.get('/loose', { headers: z.looseObject({ 'x-a': z.string() }) }, ({ headers }) => headers)
    return app
  }

  onEachSeam('humps and underscores of a name stand for hyphens, in any case', make, async ask => {
    const headers = { 'user-agent': 'tests', 'x-token': 't', 'X-COUNT': '7' }
    assert.deepEqual(await body(ask, '/named', { headers }), { userAgent: 'tests', x_token: 't', count: 7 })
    assert.deepEqual(await told(await ask('/named', { headers: { ...headers, 'x-count': 'x' } })), [
      'header.x-count int_parsing',
    ])
  })

  test('each line of a repeated header is an item of a list; a comma does not split', async () => {
    await overSocket(make(), async client => {
      client.write(get('/list', ['X-Tag: 1', 'x-tag: 2']) + get('/list', ['X-Tag: 1, 2']) + get('/list'))
      const [several, comma, none] = await client.answers(3)
      assert.deepEqual(JSON.parse(several!.body), [1, 2])
      assert.match(comma!.body, /"loc":\["header","x-tag",0\]/)
      assert.match(none!.body, /"loc":\["header","x-tag"\].*"input":null/)
    })
  })

  onEachSeam('a closed model refuses headers of an application, not those that every client sends', make, async ask => {
    const usual = {
      accept: '*/*',
      'user-agent': 'x',
      cookie: 'a=1',
      'sec-fetch-mode': 'cors',
      'x-forwarded-for': '::1',
    }
    assert.deepEqual(await body(ask, '/strict', { headers: { ...usual, 'x-a': '1' } }), { 'x-a': '1' })
    assert.deepEqual(await told(await ask('/strict', { headers: { ...usual, 'x-b': '1' } })), [
      'header.x-b extra_forbidden',
    ])
    const loose = (await body(ask, '/loose', { headers: { 'x-a': '1', 'x-b': '2' } })) as Record<string, string>
    assert.equal(loose['x-b'], '2')
  })

  test('are named in the document as they are on the wire', () => {
    const { get: described } = make().openapi().paths['/named'] as { get: { parameters: { name: string }[] } }
    const names = described.parameters.map(({ name }) => name)
    assert.deepEqual(names, ['user-agent', 'x-token', 'X-Count'])
  })

  test('are sent under these names by the test client', async () => {
    const app = new App({ log: silent })
    const echo = app.get(
      '/',
      { headers: z.object({ xToken: z.string(), xTag: z.array(z.int()) }) },
      ({ headers }) => headers,
    )
    const api = testClient(app)
    const { body } = await api.call(echo, { headers: { xToken: 't', xTag: [1] } })
    assert.deepEqual(body, { xToken: 't', xTag: [1] })
    await api.close()
  })
})

describe('cookies', () => {
  const make = () => {
    const app = new App({ log: silent })
    app.get('/', { cookies: z.object({ a: z.int(), z: z.string().default('none') }) }, ({ cookies }) => cookies)
    app.get('/strict', { cookies: z.strictObject({ a: z.int() }) }, ({ cookies }) => cookies)
    app.get('/loose', { cookies: z.looseObject({ a: z.int() }) }, ({ cookies }) => cookies)
    return app
  }

  onEachSeam('are decoded by their schema, the last of a name counts', make, async ask => {
    const of = (cookie: string) => ({ headers: { cookie } })
    assert.deepEqual(await body(ask, '/', of('a=1; z=1; z=2')), { a: 1, z: '2' })
    assert.deepEqual(await told(await ask('/', of('a=x'))), ['cookie.a int_parsing'])
    assert.deepEqual(await told(await ask('/')), ['cookie.a missing'])
    assert.deepEqual(await told(await ask('/strict', of('a=1; b=2'))), ['cookie.b extra_forbidden'])
    assert.deepEqual(await body(ask, '/loose', of('a=1; b=2')), { a: 1, b: '2' })
  })

  test('of several Cookie lines are all read', async () => {
    await overSocket(make(), async client => {
      client.write(get('/', ['Cookie: a=1; z=1', 'Cookie: z=2']))
      const [answer] = await client.answers(1)
      assert.deepEqual(JSON.parse(answer!.body), { a: 1, z: '2' })
    })
  })
})

describe('body', () => {
  const Item = z.object({ name: z.string(), price: z.number() })
  interface Tree {
    value: number
    children?: Tree[] | undefined
  }
  const Tree: z.ZodType<Tree> = z.object({
    value: z.int(),
    get children() {
      return z.array(Tree).optional()
    },
  })
  const make = () => {
    const app = new App({ log: silent })
    app.post('/embedded', { body: z.object({ item: Item }) }, ({ body }) => body.item)
    app.post(
      '/several',
      { body: z.object({ item: Item, user: z.object({ name: z.string() }), importance: z.int().default(1) }) },
      ({ body: { item, user, importance } }) => ({ item, user, importance }),
    )
    app.post('/list', { body: z.array(Item) }, ({ body }) => body.length)
    app.post('/scalar', { body: z.int() }, ({ body }) => body)
    app.post('/tree', { body: Tree }, ({ body }) => body.children?.length ?? 0)
    app.post(
      '/null',
      { body: z.object({ a: z.int().nullable(), b: z.int().optional(), c: z.int().nullish() }) },
      ({ body }) => Object.entries(body).map(([key, value]) => `${key}=${value}`),
    )
    app.post('/record', { body: z.record(z.string().regex(/^[a-z]+$/), z.int()) }, ({ body }) => body)
    app.post(
      '/held',
      { body: z.object({ at: z.date(), big: z.bigint(), set: z.set(z.int()), pair: z.tuple([z.int(), z.string()]) }) },
      ({ body }) => [body.at.getTime(), (body.big + 1n).toString(), body.set.size, body.pair],
    )
    app.post(
      '/default',
      { body: z.object({ filter: z.object({ tags: z.array(z.string()) }).default({ tags: [] }) }) },
      ({ body }) => body.filter.tags.push('x'),
    )
    app.post(
      '/json-schema',
      {
        body: {
          type: 'object',
          properties: { filter: { type: 'object', properties: { tags: { type: 'array' } }, default: { tags: [] } } },
        } as const,
      },
      ({ body }) => (body.filter as { tags: unknown[] }).tags.push('x'),
    )
    app.post(
      '/refined',
      {
        body: z
          .object({ a: z.string(), b: z.string() })
          .refine(({ a, b }) => a === b, { error: 'a and b differ', path: ['b'] }),
      },
      () => 1,
    )
    app.delete('/item', { body: Item }, ({ body }) => body.name)
    return app
  }

  onEachSeam('one model under its name, or several, are the keys of one object', make, async ask => {
    const item = { name: 'a', price: 1 }
    assert.deepEqual(await body(ask, '/embedded', json({ item })), item)
    assert.deepEqual(await told(await ask('/embedded', json(item))), ['body.item missing'])
    assert.deepEqual(await body(ask, '/several', json({ item, user: { name: 'u' } })), {
      item,
      user: { name: 'u' },
      importance: 1,
    })
    assert.deepEqual(await told(await ask('/several', json({ importance: 'x' }))), [
      'body.item missing',
      'body.user missing',
      'body.importance int_type',
    ])
  })

  onEachSeam('a body may be a list, a number, or something recursive', make, async ask => {
    assert.equal(await body(ask, '/list', json([{ name: 'a', price: 1 }])), 1)
    assert.deepEqual(await told(await ask('/list', json([{ name: 'a' }, 5]))), [
      'body.0.price missing',
      'body.1 model_attributes_type',
    ])
    assert.equal(await body(ask, '/scalar', json(7)), 7)
    assert.deepEqual(await told(await ask('/scalar', json('7'))), ['body int_type'])
    assert.equal(await body(ask, '/tree', json({ value: 1, children: [{ value: 2, children: [] }] })), 1)
    assert.deepEqual(await told(await ask('/tree', json({ value: 1, children: [{ value: 2, children: [{}] }] }))), [
      'body.children.0.children.0.value missing',
    ])
  })

  onEachSeam('null and absent are told apart', make, async ask => {
    assert.deepEqual(await body(ask, '/null', json({ a: null })), ['a=null'])
    assert.deepEqual(await body(ask, '/null', json({ a: 1, c: null })), ['a=1', 'c=null'])
    assert.deepEqual(await told(await ask('/null', json({ b: null }))), ['body.a missing', 'body.b int_type'])
  })

  onEachSeam('what is wrong with a key of a record stands one step below it', make, async ask => {
    assert.deepEqual(await body(ask, '/record', json({ a: 1 })), { a: 1 })
    assert.deepEqual(await told(await ask('/record', json({ A: 1, b: 'x' }))), [
      'body.A.[key] string_pattern_mismatch',
      'body.b int_type',
    ])
  })

  onEachSeam('dates, big integers, sets and tuples are made of what JSON has', make, async ask => {
    const good = { at: '2026-11-26T10:00:00+01:00', big: '9007199254740993', set: [1, 1], pair: [1, 'x'] }
    assert.deepEqual(await body(ask, '/held', json(good)), [1795683600000, '9007199254740994', 1, [1, 'x']])
    assert.deepEqual(await told(await ask('/held', json({ at: '2026-11-26', big: 'x', set: {}, pair: [1] }))), [
      'body.at datetime_from_date_parsing',
      'body.big int_parsing',
      'body.set set_type',
      'body.pair.1 missing',
    ])
  })

  onEachSeam('a default is made anew for each request, whatever is inside it', make, async ask => {
    // More than it takes for a schema to be compiled.
    for (let n = 0; n < 70; n++) assert.equal(await body(ask, '/default', json({})), 1)
    for (let n = 0; n < 3; n++) assert.equal(await body(ask, '/json-schema', json({})), 1)
  })

  onEachSeam('a rule of the application’s own tells its message where it says', make, async ask => {
    const answer = await ask('/refined', json({ a: '1', b: '2' }))
    const { errors } = (await answer.json()) as { errors: { loc: unknown; msg: string; type: string }[] }
    assert.deepEqual(
      errors.map(({ loc, msg, type }) => ({ loc, msg, type })),
      [{ loc: ['body', 'b'], msg: 'a and b differ', type: 'value_error' }],
    )
  })

  onEachSeam('DELETE may have one', make, async ask => {
    assert.equal(await body(ask, '/item', json({ name: 'a', price: 1 }, { method: 'DELETE' })), 'a')
  })

  onEachSeam('the last of two equal keys counts, as in every JSON parser', make, async ask => {
    const headers = { 'content-type': 'application/json' }
    const sent = await ask('/record', { method: 'POST', headers, body: '{"a":1,"a":2}' })
    assert.deepEqual(await sent.json(), { a: 2 })
  })

  onEachSeam('NaN and Infinity are no JSON', make, async ask => {
    const headers = { 'content-type': 'application/json' }
    for (const text of ['NaN', 'Infinity', '-Infinity', '{"a":NaN}'])
      assert.equal((await ask('/scalar', { method: 'POST', headers, body: text })).status, 400, text)
  })
})
