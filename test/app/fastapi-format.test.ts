// `errorFormat: 'fastapi'` beside FastAPI itself: what record.py has recorded of it, request by request.
//
// Where we answer otherwise the case is named with the reason. A difference that has gone must be taken from the list.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import * as z from 'zod'
import { App, dependency, fail, HttpError } from 'millrace'
import { silent } from './support/seams.ts'

interface Told {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
}
interface Value extends Told {
  readonly name: string
  readonly place: 'text' | 'json'
  readonly value: unknown
}
interface Recorded {
  readonly values: readonly Value[]
  readonly requests: readonly {
    readonly method: string
    readonly path: string
    readonly headers: Record<string, string>
    readonly sent?: string
    readonly hex?: string
    readonly answer: Told
  }[]
}
const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, '../fixtures/fastapi/answers.json'), 'utf8'),
) as Recorded

const Cat = z.object({ kind: z.literal('cat'), lives: z.int() }).meta({ id: 'Cat' })
const Dog = z.object({ kind: z.literal('dog'), name: z.string() }).meta({ id: 'Dog' })
const Item = z.object({ name: z.string(), price: z.number() })
const Node = z.object({
  v: z.int(),
  get children(): z.ZodOptional<z.ZodArray<typeof Node>> {
    return z.array(Node).optional()
  },
})

/** By the name of the type in record.py. */
const SCHEMAS: Readonly<Record<string, z.ZodType | object>> = {
  int: z.int(),
  float: z.number(),
  bool: z.boolean(),
  str: z.string(),
  date: z.iso.date(),
  datetime: z.iso.datetime({ local: true, offset: true }),
  aware: z.date(),
  time: z.iso.time(),
  timedelta: z.iso.duration(),
  uuid: z.uuid(),
  decimal: z
    .string()
    .regex(/^-?\d+(\.\d+)?$/)
    .meta({ format: 'decimal' }),
  url: z.url(),
  color: z.enum(['red', 'green', 'blue']),
  num: z.enum({ one: 1, two: 2 }),
  literal: z.literal(['a', 'b']),
  gt: z.int().gt(3),
  ge: z.int().min(3),
  lt: z.int().lt(3),
  le: z.number().max(3.5),
  multiple: z.int().multipleOf(5),
  short: z.string().min(3),
  one: z.string().min(1),
  long: z.string().max(2),
  pattern: z.string().regex(/^a+$/),
  uuid4: z.uuidv4(),
  http: z.url({ protocol: /^https?$/ }),
  after: z.date().min(new Date('2020-01-01T00:00:00Z')),
  optional: z.int().nullable(),
  none: z.null(),
  ints: z.array(z.int()),
  least: z.array(z.int()).min(2),
  most: z.array(z.int()).max(1),
  set: z.set(z.int()),
  setleast: z.set(z.int()).min(2),
  tuple: z.tuple([z.int(), z.string()]),
  dict: z.record(z.string(), z.int()),
  intkeys: z.record(z.int(), z.int()),
  keys: z.record(z.string().min(3), z.int()),
  dictleast: { type: 'object', additionalProperties: { type: 'integer' }, minProperties: 1 },
  dictmost: { type: 'object', additionalProperties: { type: 'integer' }, maxProperties: 1 },
  model: Item,
  strict: z.strictObject({ n: z.int() }),
  union: z.union([z.int(), z.string()]),
  intbool: z.union([z.int(), z.boolean()]),
  models: z.union([Cat, Dog]),
  tagged: z.discriminatedUnion('kind', [Cat, Dog]),
  node: Node,
  nested: z.record(z.string(), z.array(Item)),
}

const jsonBody = (schema: z.ZodType | object) =>
  schema instanceof z.ZodType ? z.object({ a: schema }) : { type: 'object', properties: { a: schema }, required: ['a'] }

const app = new App({ log: silent, errorFormat: 'fastapi' })
for (const [name, schema] of Object.entries(SCHEMAS)) {
  app.post(`/json/${name}`, { body: jsonBody(schema) as z.ZodType }, () => ({ ok: true }))
  if (recorded.values.some(one => one.name === name && one.place === 'text'))
    app.get(`/text/${name}`, { query: jsonBody(schema) as z.ZodType }, () => ({ ok: true }))
}
after(() => app.close())

async function told(request: Request): Promise<Told> {
  const answer = await app.fetch(request)
  const headers = Object.fromEntries(
    ['content-type', 'www-authenticate', 'x-error', 'allow'].flatMap(name => {
      const value = answer.headers.get(name)
      return value === null ? [] : [[name, value]]
    }),
  )
  const text = await answer.text()
  const isJson = answer.headers.get('content-type') === 'application/json'
  return { status: answer.status, headers, body: isJson ? JSON.parse(text) : text }
}

// The routes of record.py, in our words.
const token = dependency(
  { query: z.object({ token: z.string() }), headers: z.object({ 'x-token': z.string() }) },
  () => 1,
)
app.post(
  '/all/{id}',
  {
    uses: { token },
    params: z.object({ id: z.int() }),
    query: z.object({ q: z.int() }),
    headers: z.object({ 'x-a': z.int() }),
    cookies: z.object({ c: z.string() }),
    body: Item,
  },
  () => ({ ok: true }),
)
const Login = z.object({ name: z.string(), password: z.string() })
app.post('/login', { body: Login }, () => ({ ok: true }))
app.post('/two', { body: z.object({ item: Item, user: Login, importance: z.int().default(1) }) }, () => ({ ok: true }))
app.post('/embed', { body: z.object({ item: Item }) }, () => ({ ok: true }))
app.post('/optional', { body: Item.nullish() }, ({ body }) => ({ got: body ?? null }))
app.post('/form', { form: z.object({ name: z.string(), age: z.int().optional() }) }, () => ({ ok: true }))
app.post('/upload', { files: { file: {} } }, () => ({ ok: true }))
app.post('/f', { form: z.object({ a: z.string().default(''), b: z.array(z.int()).default([]) }) }, ({ form }) => form)
app.post(
  '/u',
  {
    form: z.object({ note: z.string().nullable().default(null) }),
    files: { file: {}, more: { many: true, optional: true } },
  },
  ({ form, files: { file, more } }) => ({ name: file.name, more: more.length, note: form.note }),
)
app.post('/opt', { files: { file: { optional: true } } }, ({ files }) => ({ name: files.file?.name ?? null }))
app.get('/strict-query', { query: z.strictObject({ limit: z.int().default(10) }) }, () => ({ ok: true }))
app.get(
  '/headers',
  { headers: z.object({ 'x-tag': z.array(z.string()).default([]), 'save-data': z.boolean() }) },
  ({ headers }) => ({ x_tag: headers['x-tag'], save_data: headers['save-data'] }),
)
app.get('/lists', { query: z.object({ b: z.array(z.int()), s: z.set(z.int()).default(new Set()) }) }, ({ query }) => ({
  b: query.b,
  s: [...query.s].sort(),
}))
app.get('/last', { query: z.object({ a: z.int() }) }, ({ query }) => query.a)
app.get('/cookies', { cookies: z.object({ z: z.string().default('') }) }, ({ cookies }) => cookies.z)
app.get('/http-error', () => {
  throw new HttpError(404, 'No such item', { headers: { 'x-error': '1' } })
})
app.get('/phrase', () => fail(409))
app.get('/fails', () => {
  throw new Error('secret')
})
app.get('/auth', () => {
  throw new HttpError(401, 'no', { headers: { 'www-authenticate': 'Bearer' } })
})

/** Where we answer otherwise on purpose, by `name place value` or `METHOD path sent`. */
const DIFFERENCES: Readonly<Record<string, string>> = {
  'int text "12345678901234567890"': 'a number holds integers up to 2^53; z.bigint() holds any',
  'int json 1.1805916207174113e+21': 'a number holds integers up to 2^53; z.bigint() holds any',
  'float text "nan"': 'it passes there, and the answer is then a 500',
  'float text "inf"': 'it passes there, and the answer is then a 500',
  'float json "nan"': 'it passes there, and the answer is then a 500',
  'PUT /last ""': 'Allow has all methods of the path, those that are answered by themselves too',
  'POST /login application/json "null"': 'a literal null is missing, as in FastAPI 0.142; newer ones tell its type',
  ...Object.fromEntries(
    ['{"item": {"name": "a"}}', '[]', '5', 'null', ''].map(sent => [
      `POST /two application/json ${JSON.stringify(sent)}`,
      'a body is one schema here: what lacks a key, or is no object, is told as of one model',
    ]),
  ),
  'POST /embed application/json "{\\"name\\": \\"a\\", \\"price\\": 1}"':
    'a body is one schema here: what lacks a key is told as of one model',
  'GET /headers ""':
    'the input of a missing header is null; there it is all headers, Authorization and Cookie among them',
}

const seen = new Set<string>()
function check(id: string, got: Told, want: Told, isSame: () => void): void {
  const reason = DIFFERENCES[id]
  seen.add(id)
  if (reason === undefined) return isSame()
  assert.throws(isSame, `${id} is the same now; take it from the list: ${reason}`)
  void got
  void want
}

describe('every value of the tables, as text and as JSON', () => {
  const groups = Map.groupBy(recorded.values, ({ name, place }) => `${name} ${place}`)
  for (const [group, values] of groups)
    test(`${group}: what FastAPI takes is taken, what it refuses is refused in its words`, async () => {
      for (const one of values) {
        const { name, place, value } = one
        const got = await told(
          place === 'text'
            ? new Request(`http://a/text/${name}?a=${encodeURIComponent(String(value))}`)
            : new Request(`http://a/json/${name}`, {
                method: 'POST',
                headers: { 'content-type': 'application/json' },
                body: JSON.stringify({ a: value }),
              }),
        )
        const id = `${name} ${place} ${JSON.stringify(value).slice(0, 40)}`
        check(id, got, one, () =>
          assert.deepEqual({ status: got.status, body: got.body }, { status: one.status, body: one.body }, id),
        )
      }
    })
})

describe('every request of the tables', () => {
  for (const { method, path, headers, sent = '', hex, answer } of recorded.requests) {
    const id = [method, path, ...Object.values(headers), JSON.stringify(hex ?? sent).slice(0, 120)].join(' ')
    test(`${id} is answered as FastAPI answers it`, async () => {
      const body = hex === undefined ? sent : Buffer.from(hex, 'hex')
      const got = await told(new Request(`http://a${path}`, { method, headers, ...(body.length > 0 && { body }) }))
      check(id, got, answer, () => assert.deepEqual(got, answer))
    })
  }
})

test('every difference that is listed is one that was looked for', () => {
  assert.deepEqual(
    Object.keys(DIFFERENCES).filter(id => !seen.has(id)),
    [],
  )
})
