// Mistakes in a declaration that would otherwise start, and be found by a user: each stops the start, naming route, place and the way out.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type } from 'arktype'
import { App, Router } from 'millrace'
import { Type } from 'typebox'
import * as z from 'zod'
import * as z3 from 'zod/v3'

const handler = () => 1

/** A start of an app with one route. @param spec  as somebody without a compiler writes it */
function starting(path: string, spec: object): Promise<unknown> {
  const app = new App()
  app.post(path as '/', spec as never, handler)
  return app.start()
}

describe('a path as other frameworks write it', () => {
  for (const [written, meant] of [
    ['/a/:id', '/a/{id}'],
    ['/a/:id/b/:other', '/a/{id}/b/{other}'],
    ['/files/*', '/files/{path*}'],
  ] as const)
    test(`${written} is told to be ${meant}`, () => {
      assert.throws(() => new App().get(written, handler), {
        code: 'APP_BAD_PATTERN',
        message: `"${written}" is not a path pattern: names stand in braces; write "${meant}"`,
      })
    })

  test('is one in a prefix too', () => {
    assert.throws(() => new Router({ prefix: '/:shop' }), { code: 'APP_BAD_PATTERN', message: /write "\/\{shop\}"/ })
  })

  test('a colon inside a segment is text', () => {
    for (const path of ['/items/a:archive', '/at/12:30', '/:30'] as const) new App().get(path, handler)
  })
})

describe('a key that a route does not have', () => {
  test('is told with the one that was meant', () => {
    assert.throws(() => new App().get('/a', { quary: z.object({ n: z.int() }) } as never, handler), {
      code: 'APP_UNKNOWN_KEY',
      message: 'GET /a: quary is nothing that a route declares; did you mean query?',
    })
  })

  test('is told with all there are when it is like none', () => {
    assert.throws(() => new App().get('/a', { schema: {} } as never, handler), {
      code: 'APP_UNKNOWN_KEY',
      message: /GET \/a: schema .*; it may have params, query, /,
    })
  })

  test('is one in the object form too', () => {
    const route = { method: 'GET', path: '/a', retruns: {}, handler }
    assert.throws(() => new App().route(route as never), { code: 'APP_UNKNOWN_KEY', message: /did you mean returns/ })
  })
})

describe('an object that is no schema', () => {
  test('schemas without an object around them are told to be wrapped', async () => {
    for (const body of [{ name: z.string() }, { title: z.string() }, { name: type('string') }])
      await assert.rejects(starting('/a', { body }), {
        code: 'SCHEMA_NOT_A_SCHEMA',
        message: /^POST \/a body: not a schema: .*\((name|title)\).* wrap it in z\.object/,
      })
  })

  test('a word for a type is no schema, and two that are follow', async () => {
    for (const body of [{ name: 'string' }, { name: { type: 'string' } }])
      await assert.rejects(starting('/a', { body }), {
        code: 'SCHEMA_NOT_A_SCHEMA',
        message:
          /^POST \/a body: .*only name; .*z\.object\(\{ name: z\.string\(\) \}\) or \{ type: 'object', properties/,
      })
  })

  test('a keyword that is misspelt is told, wherever it is', async () => {
    const body = { type: 'object', properties: { n: { type: 'integer', minimun: 1 } } }
    await assert.rejects(starting('/a', { body }), {
      code: 'SCHEMA_NOT_A_SCHEMA',
      message:
        'POST /a body at /properties/n: not a schema: minimun is no keyword of JSON Schema; did you mean minimum?',
    })
  })

  test('a library’s schema inside a JSON Schema is refused', async () => {
    const body = { type: 'object', properties: { name: z.string() } }
    await assert.rejects(starting('/a', { body }), {
      code: 'SCHEMA_NOT_DESCRIBABLE',
      message: /^POST \/a body: .* at \/properties\/name: a schema of a library/,
    })
  })

  test('the place is named: a query, an answer by its status', async () => {
    await assert.rejects(starting('/a', { query: { q: z.string() } }), { message: /^POST \/a query: not a schema/ })
    await assert.rejects(starting('/a', { returns: { 201: { id: z.int() } } }), {
      message: /^POST \/a returns 201: not/,
    })
    await assert.rejects(starting('/a', { returns: { id: z.int() } }), { message: /^POST \/a returns 200: not/ })
  })

  test('what is a schema stays one: anything, annotations, TypeBox, ArkType', async () => {
    for (const body of [
      {},
      { type: 'string', 'x-mine': 1, example: 'a' },
      { type: 'object', properties: { minimun: { type: 'string' } }, default: { minimun: 'a' } },
      Type.Object({ a: Type.Optional(Type.Array(Type.Literal('b'))), c: Type.Union([Type.Null(), Type.Integer()]) }),
      type({ 'name?': 'string', n: 'number.integer > 3' }),
    ])
      await starting('/a', { body })
  })

  test('a schema of Zod 3 is told to be one', async () => {
    for (const schema of [z3.object({ n: z3.number() }), { _def: {}, safeParse() {} }])
      await assert.rejects(starting('/a', { body: schema }), {
        code: 'SCHEMA_NO_ZOD',
        message: /^POST \/a body: this schema is of Zod 3; Zod 4\.5 or newer is needed/,
      })
  })
})

describe('a params schema with other names than the path', () => {
  test('is told, with both', async () => {
    const params = z.object({ ident: z.int() })
    await assert.rejects(starting('/a/{id}', { params }), {
      code: 'APP_PARAMS_NAMES',
      message: 'POST /a/{id}: the path has {id}, its params schema has ident; they must be the same',
    })
    await assert.rejects(starting('/a', { params }), { message: /the path has no names, its params schema has ident/ })
    await assert.rejects(starting('/{ident}/{other}', { params }), { message: /\{ident\}, \{other\}/ })
    await assert.rejects(starting('/a/{id}', { params: z.strictObject({ ident: z.int() }) }), {
      code: 'APP_PARAMS_NAMES',
    })
  })

  test('one that takes any name, or tells none, is left alone', async () => {
    for (const params of [z.looseObject({}), z.record(z.string(), z.string()), {}])
      await starting('/a/{id}', { params })
  })

  test('names of a prefix that an include adds may be declared, and need not', async () => {
    for (const params of [z.object({ id: z.int() }), z.object({ shop: z.string(), id: z.int() })]) {
      const router = new Router()
      router.get('/a/{id}', { params } as never, handler)
      const app = new App()
      app.include(router, { prefix: '/{shop}' })
      await app.start()
    }
  })
})

describe('a policy that cannot be', () => {
  test('is told with its route', async () => {
    for (const [policy, message] of [
      [{ timeout: '5 seconds' }, /^POST \/a timeout: "5 seconds" is not a duration/],
      [{ limit: { concurrent: 0 } }, /^POST \/a limit\.concurrent is 0/],
    ] as const)
      await assert.rejects(starting('/a', policy), { message })
    const app = new App()
    app.get('/b', { cache: { ttl: 'long' as '1s' } }, handler)
    await assert.rejects(app.start(), { message: /^GET \/b cache ttl: "long" is not a duration/ })
  })
})
