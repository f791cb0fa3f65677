import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import * as z from 'zod'
import { App, UsageError } from 'millrace'
import { testClient } from 'millrace/testing'
import { onEachSeam, silent } from './support/seams.ts'

interface Told {
  detail?: string
  errors?: { type: string; loc: (string | number)[] }[]
}
const told = async (answer: Response) =>
  (((await answer.json()) as Told).errors ?? []).map(({ type, loc }) => `${loc.join('.')} ${type}`)
const detail = async (answer: Response) => ((await answer.json()) as Told).detail

const Person = z.object({
  name: z.string().min(1),
  age: z.int().optional(),
  tags: z.array(z.string()).default([]),
  news: z.boolean().default(false),
  note: z.string().default('none'),
  born: z.iso.date().optional(),
})

const make = (errorFormat: 'problem' | 'fastapi' = 'problem') => {
  const app = new App({ log: silent, errorFormat })
  app.post('/person', { form: Person }, ({ form }) => form)
  app.post('/strict', { form: z.strictObject({ a: z.string() }) }, ({ form }) => form)
  app.post('/small', { form: z.object({ a: z.string() }), maxBodyBytes: 200 }, ({ form }) => form)
  app.post(
    '/late/{id}',
    {
      params: z.object({ id: z.int() }),
      query: z.object({ q: z.string().refine(async text => text !== 'no', 'no') }),
      form: z.object({ a: z.string().refine(async text => text !== 'taken', 'taken') }),
    },
    ({ form }) => form,
  )
  app.post(
    '/files',
    {
      form: z.object({ title: z.string().optional() }),
      files: {
        one: { types: ['image/*', 'text/plain'], maxBytes: 1000 },
        many: { many: true, max: 2, optional: true },
        rest: { optional: true },
      },
    },
    async ({ form, files: { one, many, rest } }) => ({
      title: form.title,
      one: [one.name, one.type, one.size, await one.text()],
      many: await Promise.all(many.map(file => file.text())),
      rest: rest?.name ?? null,
    }),
  )
  app.post(
    '/packed',
    { form: Person.pick({ name: true }), files: { f: {} }, decompress: true },
    async ({ form, files }) => [form.name, await files.f.text()],
  )
  app.post('/lists', { files: { all: { many: true } } }, ({ files }) => files.all.length)
  return app
}

/** As fetch() writes it, and all of it at once: undici's own stream of a FormData fails when a refusal cancels it. */
const multipart = async (entries: readonly (readonly [string, string | File])[]): Promise<RequestInit> => {
  const body = new FormData()
  for (const [name, value] of entries)
    if (typeof value === 'string') body.append(name, value)
    else body.append(name, value)
  const sent = new Response(body)
  return {
    method: 'POST',
    body: await sent.arrayBuffer(),
    headers: { 'content-type': sent.headers.get('content-type')! },
  }
}
const raw = (body: string | Buffer, type: string): RequestInit => ({
  method: 'POST',
  body: typeof body === 'string' ? body : new Uint8Array(body),
  headers: { 'content-type': type },
})
const urlencoded = (body: string) => raw(body, 'application/x-www-form-urlencoded')
const png = (text = 'p', name = 'p.png') => new File([text], name, { type: 'image/png' })

/** The same fields, either way a browser may send them. */
const bothWays = async (fields: readonly (readonly [string, string])[]) => [
  urlencoded(new URLSearchParams(fields.map(([name, value]) => [name, value])).toString()),
  await multipart(fields),
]

describe('a form', () => {
  onEachSeam('is decoded by its schema, urlencoded and multipart alike', make, async ask => {
    const sent = [
      ['name', 'Ada & Grace = é%'],
      ['age', '36'],
      ['tags', 'a'],
      ['tags', 'b c'],
      ['news', 'on'],
      ['other', 'ignored'],
      ['__proto__', 'x'],
    ] as const
    for (const init of await bothWays(sent))
      assert.deepEqual(await (await ask('/person', init)).json(), {
        name: 'Ada & Grace = é%',
        age: 36,
        tags: ['a', 'b c'],
        news: true,
        note: 'none',
      })
  })

  onEachSeam('tells what is wrong in it under body, with what is wrong elsewhere before it', make, async ask => {
    for (const init of await bothWays([['age', 'x']]))
      assert.deepEqual(await told(await ask('/person', init)), ['body.name missing', 'body.age int_parsing'])
    for (const init of await bothWays([['b', '1']]))
      assert.deepEqual(await told(await ask('/strict', init)), ['body.a missing', 'body.b extra_forbidden'])
    for (const init of await bothWays([['a', 'taken']]))
      assert.deepEqual(await told(await ask('/late/x?q=no', init)), [
        'path.id int_parsing',
        'query.q value_error',
        'body.a value_error',
      ])
    for (const init of await bothWays([['a', 'free']])) assert.equal((await ask('/late/1?q=yes', init)).status, 200)
  })

  onEachSeam('takes a blank for missing, but where the schema takes an empty text', make, async ask => {
    const sent = [
      ['name', ''],
      ['age', ''],
      ['note', ''],
      ['born', ''],
    ] as const
    for (const init of await bothWays(sent))
      assert.deepEqual(await told(await ask('/person', init)), ['body.name missing'])
    for (const init of await bothWays([...sent, ['name', 'x']]))
      assert.deepEqual(await (await ask('/person', init)).json(), { name: 'x', tags: [], news: false, note: '' })
  })

  onEachSeam(
    'takes every blank for missing where errors are FastAPI’s',
    () => make('fastapi'),
    async ask => {
      for (const init of await bothWays([
        ['name', 'x'],
        ['note', ''],
      ]))
        assert.equal(((await (await ask('/person', init)).json()) as { note: string }).note, 'none')
    },
  )

  onEachSeam('without a body has nothing in it', make, async ask => {
    assert.deepEqual(await told(await ask('/person', { method: 'POST' })), ['body.name missing'])
    assert.deepEqual(await told(await ask('/files', { method: 'POST' })), ['body.one missing'])
  })

  onEachSeam('with a broken percent-escape is read as a query is', make, async ask => {
    const answer = await ask('/person', urlencoded('name=100%&note=%zz+%E4'))
    assert.deepEqual(await answer.json(), { name: '100%', note: '%zz \ufffd', tags: [], news: false })
  })

  onEachSeam('of another type, or one with junk or two in it, is a 415', make, async ask => {
    for (const [path, type] of [
      ['/person', 'application/json'],
      ['/person', 'application/x-www-form-urlencoded; charset=latin1'],
      ['/person', 'application/x-www-form-urlencoded, text/plain'],
      ['/person', 'multipart/mixed; boundary=B'],
      ['/person', 'multipart/form-data; boundary=B, multipart/form-data; boundary=C'],
      ['/files', 'application/x-www-form-urlencoded'],
    ] as const) {
      const answer = await ask(path, raw('{}', type))
      assert.equal(answer.status, 415, type)
      assert.match((await detail(answer))!, /This route reads (multipart|application)\//)
    }
  })

  onEachSeam(
    'of another type is an empty one where errors are FastAPI’s',
    () => make('fastapi'),
    async ask => {
      const answer = await ask('/person', raw('{}', 'application/json'))
      assert.equal(answer.status, 422)
      assert.deepEqual(await answer.json(), {
        detail: [{ type: 'missing', loc: ['body', 'name'], msg: 'Field required', input: null }],
      })
    },
  )

  onEachSeam('over the limits is a 413', make, async ask => {
    const fields = (count: number) => Array.from({ length: count }, (_, n) => [`f${n}`, 'x'] as const)
    const status = async (path: `/${string}`, init: RequestInit) => (await ask(path, init)).status
    assert.equal(await status('/small', urlencoded(`a=1&${'&'.repeat(100)}`)), 200)
    assert.equal(await status('/small', urlencoded(`a=${'x'.repeat(199)}`)), 413)
    assert.equal(await status('/small', await multipart([['a', 'x'.repeat(200)]])), 413)
    assert.equal(await status('/person', urlencoded(`name=a&${'b&'.repeat(999)}`)), 200)
    assert.equal(await status('/person', urlencoded(`name=a&${'b&'.repeat(1000)}`)), 413)
    assert.equal(await status('/person', await multipart([['name', 'a'], ...fields(99)])), 200)
    assert.equal(await status('/person', await multipart([['name', 'a'], ...fields(100)])), 413)
    assert.equal(await status('/person', await multipart([['name', 'x'.repeat(2 ** 20 + 1)]])), 413)
    assert.equal(await status('/files', await multipart([['one', png('x'.repeat(1000))]])), 200)
    assert.equal(await status('/files', await multipart([['one', png('x'.repeat(1001))]])), 413)
    const photos = (count: number) => Array.from({ length: count }, () => ['all', png()] as const)
    assert.equal(await status('/lists', await multipart(photos(10))), 200)
    assert.equal(await status('/lists', await multipart(photos(11))), 413)
    // Files that nobody asked for count as well.
    assert.equal(await status('/person', await multipart([['name', 'a'], ...photos(11)])), 413)
  })

  onEachSeam(
    'over the limits is a 400 where errors are FastAPI’s',
    () => make('fastapi'),
    async ask => {
      const photos = Array.from({ length: 11 }, () => ['all', png()] as const)
      const answer = await ask('/lists', await multipart(photos))
      assert.equal(answer.status, 400)
      assert.deepEqual(await answer.json(), { detail: 'Too many files. Maximum number of files is 10.' })
    },
  )

  onEachSeam('that is broken is a 400', make, async ask => {
    const part = '--B\r\nContent-Disposition: form-data; name="name"\r\n\r\nx\r\n'
    for (const [body, type, says] of [
      [`${part}--B--`, 'multipart/form-data', 'Missing boundary in multipart.'],
      [part, 'multipart/form-data; boundary=B', 'The multipart body ends before its last boundary.'],
      [`${part}--B--`, 'multipart/form-data; boundary=C', 'The multipart body does not begin with its boundary.'],
      [
        '--B\r\nX: y\r\n\r\nx\r\n--B--',
        'multipart/form-data; boundary=B',
        'A part has no Content-Disposition of form-data.',
      ],
      [
        '--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--',
        'multipart/form-data; boundary=B',
        'A part has no name.',
      ],
    ] as const) {
      const answer = await ask('/person', raw(body, type))
      assert.equal(answer.status, 400, says)
      assert.equal(await detail(answer), says)
    }
  })
})

describe('files of a form', () => {
  onEachSeam('come with name, type, size and bytes beside the fields', make, async ask => {
    const answer = await ask(
      '/files',
      await multipart([
        ['title', 'T'],
        ['one', new File(['bytes é'], '../a"b.png', { type: 'image/png' })],
        ['many', png('1')],
        ['many', png('2')],
        ['unasked', png('3')],
      ]),
    )
    assert.deepEqual(await answer.json(), {
      title: 'T',
      one: ['a"b.png', 'image/png', 8, 'bytes é'],
      many: ['1', '2'],
      rest: null,
    })
  })

  onEachSeam(
    'are missing when none is chosen, and the last of several counts where one is asked for',
    make,
    async ask => {
      const none = Buffer.from(
        '--B\r\nContent-Disposition: form-data; name="one"; filename=""\r\nContent-Type: application/octet-stream\r\n\r\n\r\n--B--\r\n',
      )
      assert.deepEqual(await told(await ask('/files', raw(none, 'multipart/form-data; boundary=B'))), [
        'body.one missing',
      ])
      assert.deepEqual(await told(await ask('/lists', raw('--B--', 'multipart/form-data; boundary=B'))), [
        'body.all missing',
      ])
      const answer = await ask(
        '/files',
        await multipart([
          ['one', png('1')],
          ['one', png('2', 'last.png')],
        ]),
      )
      assert.deepEqual(((await answer.json()) as { one: unknown }).one, ['last.png', 'image/png', 1, '2'])
    },
  )

  onEachSeam('that are too many, of another type or a text are a 422 that names them', make, async ask => {
    const many = ['many', png()] as const
    assert.deepEqual(await told(await ask('/files', await multipart([['one', png()], many, many, many]))), [
      'body.many too_long',
    ])
    const pdf = new File(['x'], 'x.pdf', { type: 'application/pdf' })
    assert.deepEqual(await told(await ask('/files', await multipart([['one', pdf]]))), ['body.one value_error'])
    assert.deepEqual(await told(await ask('/files', await multipart([['one', 'text']]))), ['body.one value_error'])
  })

  onEachSeam('come compressed where the route asks for it, and nowhere else', make, async ask => {
    const sent = await multipart([
      ['name', 'Ada'],
      ['f', png('packed')],
    ])
    const packed: RequestInit = {
      ...sent,
      body: gzipSync(Buffer.from(sent.body as ArrayBuffer)),
      headers: { ...(sent.headers as Record<string, string>), 'content-encoding': 'gzip' },
    }
    assert.deepEqual(await (await ask('/packed', packed)).json(), ['Ada', 'packed'])
    assert.equal((await ask('/lists', packed)).status, 415)
  })

  onEachSeam(
    'sent by the test client arrive, whether the route is called by its value or as a request',
    make,
    async (_, app) => {
      const upload = app.post(
        '/sent',
        { form: z.object({ n: z.int() }), files: { f: {}, g: { many: true, optional: true } } },
        async ({ form, files }) => ({
          n: form.n,
          f: [files.f.name, await files.f.text()],
          g: files.g.map(file => file.name),
        }),
      )
      const api = testClient(app)
      const { body } = await api.call(upload, { form: { n: 7 }, files: { f: new Blob(['x']), g: [png()] } })
      assert.deepEqual(body, { n: 7, f: ['f', 'x'], g: ['p.png'] })
      await api.close()
    },
  )
})

describe('a file that nobody chose', () => {
  const one = ['one', new File(['1'], '1.txt', { type: 'text/plain' })] as const

  onEachSeam('may come as an empty text, as Swagger UI sends it, and is missing', make, async ask => {
    const left = await ask('/files', await multipart([one, ['many', ''], ['rest', '']]))
    assert.deepEqual(
      [left.status, await left.json()],
      [200, { one: ['1.txt', 'text/plain', 1, '1'], many: [], rest: null }],
    )
    assert.deepEqual(await told(await ask('/files', await multipart([['one', '']]))), ['body.one missing'])
    const toldOf = async (...parts: [string, string][]) => told(await ask('/lists', await multipart(parts)))
    assert.deepEqual(await toldOf(['all', ''], ['all', '']), ['body.all missing'])
    assert.deepEqual(await toldOf(['all', ''], ['all', 'x']), ['body.all value_error'])
  })

  onEachSeam(
    'is missing in FastAPI’s format too, but in a list',
    () => make('fastapi'),
    async ask => {
      assert.equal((await ask('/files', await multipart([one, ['rest', '']]))).status, 200)
      const refused = await ask('/files', await multipart([one, ['many', '']]))
      assert.equal(refused.status, 422)
      assert.match(await refused.text(), /Expected UploadFile/)
    },
  )
})

describe('a route with a form', () => {
  const refused = (declare: (app: App) => unknown, message: RegExp) => {
    const app = new App({ log: silent })
    declare(app)
    assert.throws(
      () => app.manifest(),
      (error: unknown) => error instanceof UsageError && error.code === 'APP_FORM' && message.test(error.message),
    )
  }

  test('has no body, and its rules for files say something', () => {
    const form = z.object({ a: z.string() })
    refused(app => app.post('/', { form, body: form }, () => 1), /POST \/ declares a body beside a form/)
    const misspelt: object = { maxByte: 1 }
    refused(app => app.post('/', { files: { f: misspelt } }, () => 1), /files f: maxByte.*maxBytes/)
    refused(app => app.post('/', { files: { f: { maxBytes: 0 } } }, () => 1), /whole number above 0/)
    refused(app => app.post('/', { files: { f: { max: 2 } } }, () => 1), /max is for many: true/)
    refused(app => app.post('/', { files: { f: { types: ['png'] } } }, () => 1), /no media type/)
  })

  test('is not cached', () => {
    const app = new App({ log: silent })
    app.get('/', { form: z.object({ a: z.string() }), cache: { ttl: '1s' } }, () => 1)
    assert.throws(() => app.manifest(), { code: 'APP_CACHE' })
  })
})
