import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { App, dependency, Router, UsageError } from 'millrace'
import { representativeApp } from './representative-app.ts'

type Json = any

function operation(app: App<any, any>, path: string, method: string): Json {
  return (app.openapi().paths as Json)[path][method]
}
function schemas(app: App<any, any>): Json {
  return app.openapi().components.schemas
}
/** What `z.int()` is in a document. */
const INTEGER = { type: 'integer', minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }
const Id = z.object({ id: z.int() })

describe('the OpenAPI document', () => {
  test('says what the app says of itself, and names a server and no security by default', () => {
    const app = new App({
      title: 'T',
      version: '9',
      license: { name: 'MIT', identifier: 'MIT' },
      openapiTags: [{ name: 'a', description: 'A' }],
      externalDocs: { url: 'https://docs.test' },
    })
    const document = app.openapi()
    assert.equal(document.openapi, '3.1.0')
    assert.deepEqual(document.info, { title: 'T', version: '9', license: { name: 'MIT', identifier: 'MIT' } })
    assert.deepEqual(document.servers, [{ url: '/' }])
    assert.deepEqual(document['security'], [])
    assert.deepEqual(document['tags'], [{ name: 'a', description: 'A' }])
    assert.deepEqual(document['externalDocs'], { url: 'https://docs.test' })
  })

  test('is of OpenAPI 3.2 where the app or the caller says so: QUERY has its place then', () => {
    const app = new App({ openapiVersion: '3.2.0' })
    app.route({ method: 'QUERY', path: '/a', body: Id, handler: () => 1 })
    const { openapi, paths } = app.openapi()
    assert.deepEqual([openapi, Object.keys(paths['/a']!)], ['3.2.0', ['query']])
    const before = app.openapi({ openapiVersion: '3.1.0' })
    assert.deepEqual([before.openapi, Object.keys(before.paths['/a']!)], ['3.1.0', ['x-query']])
  })

  test('is of no other version of OpenAPI', () => {
    const other = '3.1.1' as '3.1.0'
    const refused = { code: 'APP_BAD_OPENAPI_VERSION', message: /"3\.1\.1"/ }
    assert.throws(() => new App({ openapiVersion: other }), refused)
    assert.throws(() => new App().openapi({ openapiVersion: other }), refused)
  })

  test('leaves out hidden routes and the methods that are answered by themselves', () => {
    const app = new App()
    app.get('/a', () => 1)
    app.get('/b', { hidden: true }, () => 1)
    app.head('/c', () => {})
    assert.deepEqual(
      Object.entries(app.openapi().paths).map(([path, item]) => [path, Object.keys(item)]),
      [
        ['/a', ['get']],
        ['/c', ['head']],
      ],
    )
  })

  test('describes path values without a schema as strings, and the rest of a path under its bare name', () => {
    const app = new App()
    app.get('/files/{owner}/{path*}', () => 1)
    assert.deepEqual(operation(app, '/files/{owner}/{path}', 'get').parameters, [
      { name: 'owner', in: 'path', required: true, schema: { type: 'string', pattern: '^[^/\\\\\\x00]+$' } },
      { name: 'path', in: 'path', required: true, schema: { type: 'string', pattern: '^[^\\\\\\x00]+$' } },
    ])
  })

  test('says which texts a path cannot hold, unless the schema says what the text is like', () => {
    const app = new App()
    const params = z.object({
      short: z.string().max(5),
      id: z.uuid(),
      code: z.string().regex(/^x/),
      kind: z.enum(['a']),
    })
    app.get('/{short}/{id}/{code}/{kind}', { params }, () => 1)
    const schemas = operation(app, '/{short}/{id}/{code}/{kind}', 'get').parameters.map(({ schema }: any) => schema)
    assert.deepEqual(schemas[0], { type: 'string', maxLength: 5, pattern: '^[^/\\\\\\x00]+$' })
    assert.deepEqual(schemas[2], { type: 'string', pattern: '^x' })
    assert.deepEqual(schemas[3], { type: 'string', enum: ['a'] })
    const { $schema: _, ...uuid } = z.toJSONSchema(z.uuid())
    assert.deepEqual(schemas[1], uuid)
  })

  test('puts patterns that differ only in their names into one path item, under the names declared first', () => {
    const app = new App()
    app.get('/users/{id}', () => 1)
    app.delete('/users/{userId}', { params: z.object({ userId: z.int() }) }, () => 1)
    app.get('/files/{x}', () => 1)
    app.get('/files/{x*}', () => 1)
    assert.deepEqual(Object.keys(app.openapi().paths), ['/users/{id}', '/files/{x}', '/files/{x_rest}'])
    assert.deepEqual(operation(app, '/users/{id}', 'delete').parameters, [
      { name: 'id', in: 'path', required: true, schema: INTEGER },
    ])
    assert.equal(operation(app, '/files/{x_rest}', 'get').parameters[0].name, 'x_rest')
  })

  test('gathers parameters from the route and from every dependency, once each; required beats optional', () => {
    const deep = dependency({ headers: z.object({ 'X-Tenant': z.string() }) }, () => 1)
    const outer = dependency(
      { uses: { deep }, query: z.object({ page: z.string(), trace: z.string().optional() }) },
      () => 1,
    )
    const app = new App({ uses: { outer } })
    app.get(
      '/a',
      {
        query: z.object({ page: z.int().optional().describe('Which one') }),
        headers: z.object({ 'x-tenant': z.string().optional() }),
        cookies: z.object({ sid: z.string() }),
        uses: { deep },
      },
      () => 1,
    )
    assert.deepEqual(operation(app, '/a', 'get').parameters, [
      { name: 'page', in: 'query', required: true, description: 'Which one', schema: INTEGER },
      { name: 'trace', in: 'query', required: false, schema: { type: 'string' } },
      { name: 'x-tenant', in: 'header', required: true, schema: { type: 'string' } },
      { name: 'sid', in: 'cookie', required: true, schema: { type: 'string' } },
    ])
  })

  test('reads parameters through a schema with an id and through intersections', () => {
    const Page = z.object({ page: z.int().default(1) }).meta({ id: 'Page' })
    const app = new App()
    app.get('/a', { query: Page.and(z.object({ q: z.string() })) }, () => 1)
    app.get('/b', { query: Page }, () => 1)
    const names = (path: string) => operation(app, path, 'get').parameters.map((p: Json) => [p.name, p.required])
    assert.deepEqual(names('/a'), [
      ['page', false],
      ['q', true],
    ])
    assert.deepEqual(names('/b'), [['page', false]])
    assert.ok(!('Page' in schemas(app)), 'a component that nothing refers to is left out')
  })

  test('requires a body unless its schema accepts none', () => {
    const app = new App()
    app.post('/a', { body: Id }, () => 1)
    app.post('/b', { body: Id.optional() }, () => 1)
    app.post('/c', { body: { type: 'object', properties: { x: { type: 'string' } } } }, () => 1)
    const required = (path: string) => operation(app, path, 'post').requestBody.required
    assert.deepEqual(['/a', '/b', '/c'].map(required), [true, false, true])
  })

  test('lists answers by status: declared ones, untyped 200, none for null, and what Millrace itself may say', () => {
    const app = new App()
    app.get('/plain', () => 1)
    app.get('/gone', { returns: { 204: null } }, () => {})
    app.get('/moved', { returns: { 302: null } }, ({ reply }) => reply(302, null, { headers: { location: '/' } }))
    app.get('/busy', { limit: { concurrent: 1 }, timeout: '1s', returns: { 200: Id, 404: Id } }, () => ({ id: 1 }))
    app.get('/input', { query: z.object({ q: z.string() }) }, () => 1)
    const codes = (path: string) => Object.keys(operation(app, path, 'get').responses)
    assert.deepEqual(codes('/plain'), ['200', '4XX', 'default'])
    assert.deepEqual(operation(app, '/plain', 'get').responses['200'].content, { 'application/json': { schema: {} } })
    assert.deepEqual(codes('/gone'), ['204', '4XX', 'default'])
    assert.deepEqual(operation(app, '/gone', 'get').responses['204'], { description: 'No Content' })
    assert.deepEqual(codes('/moved'), ['302', '4XX', 'default'])
    assert.deepEqual(codes('/busy'), ['200', '404', '503', '504', 'default'])
    assert.ok('Retry-After' in operation(app, '/busy', 'get').responses['503'].headers)
    assert.deepEqual(codes('/input'), ['200', '422', 'default'])
  })

  test('merges the answers of routers and dependencies; a dependency answers with errors only', () => {
    const guard = dependency({ returns: { 401: null, 403: z.object({ reason: z.string() }) } }, () => 1)
    const router = new Router({ returns: { 404: Id, 409: Id }, uses: { guard } })
    router.get('/a', { returns: { 200: Id, 409: z.string() } }, () => ({ id: 1 }))
    const app = new App().include(router)
    const { responses } = operation(app, '/a', 'get')
    assert.deepEqual(Object.keys(responses), ['200', '401', '403', '404', '409', 'default'])
    assert.deepEqual(responses['409'].content['application/json'], { schema: { type: 'string' } })
    assert.deepEqual(responses['401'].content, {
      'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
    })
    assert.deepEqual(Object.keys(responses['403'].content), ['application/problem+json'])
  })

  test('tells both forms of a declared error: as replied, and as a problem when it was thrown', () => {
    const app = new App()
    app.get('/a', { query: Id, returns: { 200: Id, 404: Id, 422: Id, 410: null } }, () => ({ id: 1 }))
    const { responses } = operation(app, '/a', 'get')
    const problemOf = (status: number) => responses[status].content['application/problem+json'].schema.$ref
    assert.equal(problemOf(404), '#/components/schemas/Problem')
    // Of an input that is not valid, or thrown by who has found something else to be wrong with it.
    assert.deepEqual(responses[422].content['application/problem+json'].schema.anyOf, [
      { $ref: '#/components/schemas/ValidationProblem' },
      { $ref: '#/components/schemas/Problem' },
    ])
    assert.deepEqual(Object.keys(responses[404].content), ['application/json', 'application/problem+json'])
    assert.deepEqual(responses[410], { description: 'Gone' })
  })

  test("tells FastAPI's shapes where the app answers with them", () => {
    const app = new App({ errorFormat: 'fastapi' })
    app.get('/a', { query: z.object({ q: z.string() }) }, () => 1)
    const { responses } = operation(app, '/a', 'get')
    assert.deepEqual(responses['422'].content, {
      'application/json': { schema: { $ref: '#/components/schemas/HTTPValidationError' } },
    })
    assert.deepEqual(Object.keys(schemas(app)), ['HTTPError', 'HTTPValidationError', 'ValidationError'])
  })

  test('gives tags of groups from the outside in, then of the route, each once', () => {
    const inner = new Router({ tags: ['inner', 'shared'] })
    inner.get('/a', { tags: ['own', 'shared'] }, () => 1)
    const app = new App({ tags: ['app'] }).include(inner, { tags: ['include'] })
    assert.deepEqual(operation(app, '/a', 'get').tags, ['app', 'include', 'inner', 'shared', 'own'])
  })

  test('makes operation ids and summaries from method and path, unique, and keeps those that are given', () => {
    const app = new App()
    app.get('/', () => 1)
    app.get('/carts/{cartId}/line-items', () => 1)
    app.get('/a/b', () => 1)
    app.get('/a-b', () => 1)
    app.get('/c', { operationId: 'getAB2', summary: 'See C' }, () => 1)
    const found = Object.values(app.openapi().paths).map((item: Json) => [item.get.operationId, item.get.summary])
    assert.deepEqual(found, [
      ['getRoot', 'Get root'],
      ['getCartsByCartIdLineItems', 'Get carts by cart id line items'],
      ['getAB', 'Get a b'],
      ['getAB3', 'Get a b'],
      ['getAB2', 'See C'],
    ])
  })

  test('refuses one operationId for two routes, naming both', () => {
    const app = new App()
    app.get('/a', { operationId: 'x' }, () => 1)
    app.get('/b', { operationId: 'x' }, () => 1)
    assert.throws(() => app.openapi(), {
      code: 'APP_DUPLICATE_OPERATION_ID',
      message: /GET \/a and GET \/b/,
    })
  })
})

describe('components of the document', () => {
  test('hold a schema with an id once, however many routes use it', () => {
    const app = representativeApp()
    const names = Object.keys(schemas(app))
    assert.deepEqual(names, [...names].sort())
    assert.ok(names.includes('Product') && names.includes('Money'))
    assert.deepEqual(schemas(app).Product.properties.priceCents, { $ref: '#/components/schemas/Money' })
  })

  test('split into -Input and -Output only where the two differ, with all that refers to them', () => {
    const Line = z.object({ quantity: z.int().default(1) }).meta({ id: 'Line' })
    const Cart = z.object({ lines: z.array(Line) }).meta({ id: 'Cart' })
    const Same = z.object({ id: z.int() }).meta({ id: 'Same' })
    const app = new App()
    app.put('/cart', { body: Cart, returns: Cart }, ({ body }) => body)
    app.put('/same', { body: Same, returns: Same }, ({ body }) => body)
    const found = schemas(app)
    assert.deepEqual(
      Object.keys(found).filter(name => /Line|Cart|Same/.test(name)),
      ['Cart-Input', 'Cart-Output', 'Line-Input', 'Line-Output', 'Same'],
    )
    assert.deepEqual(found['Cart-Output'].properties.lines.items, { $ref: '#/components/schemas/Line-Output' })
    assert.deepEqual(found['Line-Output'].required, ['quantity'])
    assert.equal(found['Line-Input'].required, undefined)
  })

  test('are of the type that the route reads', () => {
    const app = new App()
    app.put('/x', { body: z.string(), bodyType: 'text/plain' }, ({ body }) => body)
    assert.deepEqual(operation(app, '/x', 'put').requestBody.content, { 'text/plain': { schema: { type: 'string' } } })
  })

  test('keep the mapping of a discriminator in step with their names', () => {
    const a = z.object({ kind: z.literal('a'), n: z.int().default(1) }).meta({ id: 'A' })
    const b = z.object({ kind: z.literal('b') }).meta({ id: 'B' })
    const Either = z.discriminatedUnion('kind', [a, b])
    const app = new App()
    app.put('/x', { body: Either, returns: Either }, ({ body }) => body)
    const { schema } = operation(app, '/x', 'put').requestBody.content['application/json']
    assert.deepEqual(schema.discriminator.mapping, {
      a: '#/components/schemas/A-Input',
      b: '#/components/schemas/B',
    })
  })

  test('refuse two different schemas of one id, naming both places', () => {
    const app = new App()
    const a = { $id: 'Thing', type: 'object', properties: { a: { type: 'string' } } } as const
    const b = { $id: 'Thing', type: 'object', properties: { b: { type: 'string' } } } as const
    app.post('/a', { body: a }, () => 1)
    app.post('/b', { body: b }, () => 1)
    assert.throws(
      () => app.openapi(),
      (error: Error) =>
        error instanceof UsageError &&
        error.code === 'APP_COMPONENT_CLASH' &&
        /POST \/a body/.test(error.message) &&
        /POST \/b body/.test(error.message),
    )
  })

  test('number the recursive schemas that have no id', () => {
    const tree = () => {
      const node: z.ZodType = z.lazy(() => z.object({ children: z.array(node) }))
      return node
    }
    const list = () => {
      const node: z.ZodType = z.lazy(() => z.object({ next: node.optional() }))
      return node
    }
    const app = new App()
    app.post('/tree', { body: tree() }, () => 1)
    app.post('/list', { body: list() }, () => 1)
    app.post('/tree2', { body: tree() }, () => 1)
    const ref = (path: string) => operation(app, path, 'post').requestBody.content['application/json'].schema.$ref
    assert.notEqual(ref('/tree'), ref('/list'))
    assert.equal(ref('/tree'), ref('/tree2'))
  })

  test("let an application's own Problem stand, and call Millrace's otherwise", () => {
    const Problem = z.object({ oops: z.string() }).meta({ id: 'Problem' })
    const app = new App()
    app.get('/a', { returns: { 200: Id, 404: Problem } }, () => ({ id: 1 }))
    const { responses } = operation(app, '/a', 'get')
    assert.deepEqual(responses['404'].content['application/json'].schema, { $ref: '#/components/schemas/Problem' })
    assert.deepEqual(responses.default.content['application/problem+json'].schema, {
      $ref: '#/components/schemas/Problem2',
    })
    assert.deepEqual(Object.keys(schemas(app)), ['Problem', 'Problem2'])
  })
})

describe('forms', () => {
  test('are urlencoded or multipart, and multipart alone with files, which are binary strings', () => {
    const app = new App()
    app.post('/fields', { form: z.object({ a: z.string(), n: z.int().optional() }) }, () => 1)
    app.post('/optional', { form: z.object({ a: z.string().optional() }) }, () => 1)
    app.post(
      '/files',
      {
        form: z.object({ title: z.string() }),
        files: { one: { types: ['image/png', 'image/gif'] }, many: { many: true, max: 3, optional: true } },
      },
      () => 1,
    )
    app.post('/file', { files: { f: {} } }, () => 1)
    const body = (path: string) => operation(app, path, 'post').requestBody
    const fields = { type: 'object', properties: { a: { type: 'string' }, n: INTEGER }, required: ['a'] }
    assert.deepEqual(body('/fields'), {
      required: true,
      content: { 'application/x-www-form-urlencoded': { schema: fields }, 'multipart/form-data': { schema: fields } },
    })
    assert.equal(body('/optional').required, false)
    const file = { type: 'string', format: 'binary', contentMediaType: 'application/octet-stream' }
    assert.deepEqual(body('/files'), {
      required: true,
      content: {
        'multipart/form-data': {
          schema: {
            type: 'object',
            properties: {
              title: { type: 'string' },
              one: file,
              many: { type: 'array', items: file, default: [], maxItems: 3 },
            },
            required: ['title', 'one'],
          },
          encoding: { one: { contentType: 'image/png, image/gif' } },
        },
      },
    })
    assert.deepEqual(body('/file').content['multipart/form-data'].schema, {
      type: 'object',
      properties: { f: file },
      required: ['f'],
    })
    assert.equal(operation(app, '/file', 'post').responses['422'].description, 'An input is not valid')
  })
})
