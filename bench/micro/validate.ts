// Decoding and encoding by one schema, beside the libraries of Fastify (ajv, fast-json-stringify) and Elysia (TypeBox's compiler, exact-mirror).
//
// From what a router hands over to what a handler gets, and from what it returns to the text of the answer, each as its framework does it by
// default, answers as far as the bytes that leave: Fastify's ajv coerces, fills in defaults, removes undeclared keys and stops at the first error; Elysia checks, then decodes and
// fills in; ours coerces by the schema, makes a new object, and tells every error. All drop undeclared keys from answers.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import * as z from 'zod'
import { compileBody, compileFields } from '../../src/schema/decode.ts'
import type { Issue } from '../../src/schema/issue.ts'
import { compileResponse } from '../../src/schema/serialize.ts'
import { installPeer, peerPath } from '../harness/peers.ts'
import { compareCalls } from './time.ts'

const versions = { ...(await installPeer('fastify')), ...(await installPeer('elysia')) }
const fromFastify = createRequire(createRequire(peerPath('fastify', 'package.json')).resolve('fastify'))
const fromElysia = createRequire(createRequire(peerPath('elysia', 'package.json')).resolve('elysia'))

type Build = (schema: object) => (value: unknown) => unknown
const ajvCompiler = fromFastify('@fastify/ajv-compiler') as () => (
  shared: object,
  options: object,
) => (of: { schema: object }) => (value: unknown) => boolean
const stringifyCompiler = fromFastify('@fastify/fast-json-stringify-compiler') as {
  SerializerSelector(): (shared: object, options: object) => (of: { schema: object }) => (value: unknown) => string
}
const { TypeCompiler } = fromElysia('@sinclair/typebox/compiler') as {
  TypeCompiler: { Compile(schema: object): { Check(value: unknown): boolean } }
}
const { Type } = fromElysia('@sinclair/typebox') as {
  Type: { Unsafe(schema: object): object } & Record<string, (...of: any[]) => object>
}
const { Value } = fromElysia('@sinclair/typebox/value') as {
  Value: { Default(schema: object, value: unknown): unknown; Convert(schema: object, value: unknown): unknown }
}
const { createMirror } = fromElysia('exact-mirror') as {
  createMirror(schema: object, options?: object): (value: unknown) => unknown
}

// Fastify's own defaults (lib/validation, lib/schema-controller).
const AJV = { customOptions: { coerceTypes: 'array', useDefaults: true, removeAdditional: true, allErrors: false } }
const fastifyDecode: Build = schema => {
  const validate = ajvCompiler()({}, AJV)({ schema })
  return value => validate(value) && value
}
const fastifyEncode: Build = schema => stringifyCompiler.SerializerSelector()({}, {})({ schema })

const Product = z.object({ id: z.int(), name: z.string(), priceCents: z.int(), stock: z.int() })
const Order = z.object({
  customer: z.object({ name: z.string().min(1), email: z.string() }),
  lines: z.array(z.object({ product: z.int(), quantity: z.int().min(1) })).min(1),
  note: z.string().optional(),
})
const Query = z.object({
  page: z.int().min(1).default(1),
  size: z.int().max(100).default(20),
  q: z.string().optional(),
})

const T = Type
const line = T['Object']!({ product: T['Integer']!(), quantity: T['Integer']!({ minimum: 1 }) })
const TOrder = T['Object']!({
  customer: T['Object']!({ name: T['String']!({ minLength: 1 }), email: T['String']!() }),
  lines: T['Array']!(line, { minItems: 1 }),
  note: T['Optional']!(T['String']!()),
})
const TProduct = T['Object']!({
  id: T['Integer']!(),
  name: T['String']!(),
  priceCents: T['Integer']!(),
  stock: T['Integer']!(),
})
const TList = T['Array']!(TProduct)
const TQuery = T['Object']!({
  page: T['Integer']!({ minimum: 1, default: 1 }),
  size: T['Integer']!({ maximum: 100, default: 20 }),
  q: T['Optional']!(T['String']!()),
})

interface Decoder {
  decode(value: never, issues: Issue[]): unknown
}

/** Asked of the decoder each time, as a route does: its first value puts what it compiles there. */
function ours(decoder: Decoder): (value: unknown) => unknown {
  const issues: Issue[] = []
  return value => decoder.decode(value as never, issues)
}

/** Fresh each time where a validator writes into its input. */
function repeat(run: (value: unknown) => unknown, make: () => unknown): (count: number) => unknown {
  return count => {
    let last: unknown
    for (let n = 0; n < count; n++) last = run(make())
    return last
  }
}

process.stdout.write(`fastify ${versions['fastify']}, elysia ${versions['elysia']}, node ${process.version}\n\n`)

const query = () => ({ page: '3', size: '50' })
const ourQuery = compileFields(Query, 'query', 'GET /')
const ajvQuery = fastifyDecode(TQuery)
const typeboxQuery = TypeCompiler.Compile(TQuery)
const decodeElysia = (value: unknown) => {
  const filled = Value.Default(TQuery, Value.Convert(TQuery, value))
  return typeboxQuery.Check(filled) && filled
}
const expectedQuery = { page: 3, size: 50 }
for (const decode of [ours(ourQuery), ajvQuery, decodeElysia])
  assert.deepEqual({ ...(decode(query()) as object) }, expectedQuery)
compareCalls('a query of three, two given as text', {
  millrace: repeat(ours(ourQuery), query),
  'fastify (ajv)': repeat(ajvQuery, query),
  'elysia (TypeBox Convert, Default, Check)': repeat(decodeElysia, query),
})

const order = () => ({
  customer: { name: 'Ada', email: 'ada@example.com' },
  lines: [
    { product: 1, quantity: 2 },
    { product: 2, quantity: 1 },
    { product: 3, quantity: 5 },
  ],
})
const ourOrder = compileBody(Order, 'POST /')
const ajvOrder = fastifyDecode(TOrder)
const typeboxOrder = TypeCompiler.Compile(TOrder)
const mirrorOrder = createMirror(TOrder)
const elysiaOrder = (value: unknown) => {
  const clean = mirrorOrder(value)
  return typeboxOrder.Check(clean) && clean
}
for (const decode of [ours(ourOrder), ajvOrder, elysiaOrder]) assert.deepEqual(decode(order()), order())
compareCalls('a body: an order of three lines', {
  millrace: repeat(ours(ourOrder), order),
  'fastify (ajv)': repeat(ajvOrder, order),
  'elysia (exact-mirror, TypeBox Check)': repeat(elysiaOrder, order),
})

const wrong = () => ({ customer: { name: '', email: 5 }, lines: [{ product: 'x', quantity: 0 }] })
const told = (value: unknown) => {
  const issues: Issue[] = []
  ourOrder.decode(value, issues)
  return issues
}
compareCalls('the same, wrong in four places', {
  'millrace (tells four)': repeat(told, wrong),
  'fastify (tells the first)': repeat(ajvOrder, wrong),
  'elysia (says no; the telling comes on top)': repeat(elysiaOrder, wrong),
})

const product = { id: 7, name: 'Lamp', priceCents: 4900, stock: 12, secret: 'x' }
for (const [title, value, zod, typebox] of [
  ['an answer: one product', product, Product, TProduct],
  ['an answer: a list of 50', Array.from({ length: 50 }, (_, id) => ({ ...product, id })), z.array(Product), TList],
] as const) {
  const encoder = compileResponse(zod, 'GET /')
  const stringify = fastifyEncode(typebox)
  const mirror = createMirror(typebox)
  const elysia = (one: unknown) => JSON.stringify(mirror(one))
  const texts = [encoder.encode(value), stringify(value), elysia(value)]
  for (const text of texts) assert.deepEqual(JSON.parse(text as string), JSON.parse(texts[0] as string))
  assert.doesNotMatch(texts[0] as string, /secret/)
  // A text that was put together of many pieces pays for that when it becomes bytes.
  const out = Buffer.alloc(65_536)
  const asBytes = (write: (one: unknown) => unknown) =>
    repeat(
      one => out.write(write(one) as string),
      () => value,
    )
  compareCalls(title, {
    millrace: asBytes(one => encoder.encode(one)),
    'fastify (fast-json-stringify)': asBytes(stringify),
    'elysia (exact-mirror, JSON.stringify)': asBytes(elysia),
    'JSON.stringify of all there is': asBytes(JSON.stringify),
  })
}
