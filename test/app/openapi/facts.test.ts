import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { App, Router } from 'millrace'

type Json = any

function operation(app: App<any, any>, path: string, method = 'get'): Json {
  return (app.openapi().paths as Json)[path][method]
}
const Order = z.object({ id: z.int(), total: z.int().default(0) }).meta({ id: 'Order' })

describe('what a router and an include say of their routes', () => {
  const inner = new Router({ prefix: '/orders', responses: { 404: { description: 'No such order' } } })
  inner.get('/{id}', { returns: { 200: Order, 404: Order } }, () => ({ id: 1, total: 0 }))

  test('is gathered from the outside in: tags, answers, callbacks, deprecated', () => {
    const app = new App({ returns: { 401: null } })
    app.include(inner, {
      prefix: '/v1',
      tags: ['old'],
      deprecated: true,
      returns: { 410: null },
      responses: { 410: { description: 'Gone for good' }, 404: { description: 'overruled' } },
      callbacks: { changed: { '{$request.query.notify}': { body: Order } } },
    })
    const found = operation(app, '/v1/orders/{id}')
    assert.deepEqual(found.tags, ['old'])
    assert.equal(found.deprecated, true)
    assert.deepEqual(Object.keys(found.responses), ['200', '401', '404', '410', 'default'])
    assert.equal(found.responses['410'].description, 'Gone for good')
    assert.equal(found.responses['404'].description, 'No such order')
    assert.ok('changed' in found.callbacks)
  })

  test('holds for one include and not for another of the same router', () => {
    const app = new App().include(inner, { prefix: '/v1', deprecated: true }).include(inner, { prefix: '/v2' })
    assert.equal(operation(app, '/v1/orders/{id}').deprecated, true)
    assert.equal(operation(app, '/v2/orders/{id}').deprecated, undefined)
  })

  test('hides all of them, whatever they say themselves', () => {
    const app = new App().include(inner, { hidden: true })
    const hidden = new Router({ hidden: true })
    hidden.get('/a', { hidden: false }, () => 1)
    app.include(hidden)
    assert.deepEqual(app.openapi().paths, {})
  })

  test('makes their operation ids, the innermost maker first, and a route that has its own keeps it', () => {
    const one = new Router({
      tags: ['items'],
      operationIds: ({ tags, method, path }) => `${tags[0]}-${method}-${path}`,
    })
    one.get('/a', () => 1)
    one.get('/b', { operationId: 'own' }, () => 1)
    const app = new App({ operationIds: ({ path }) => `outer${path}` }).include(one)
    app.get('/c', () => 1)
    assert.deepEqual(
      ['/a', '/b', '/c'].map(path => operation(app, path).operationId),
      ['items-GET-/a', 'own', 'outer/c'],
    )
  })

  test('gives a route that is included twice its id once, and a number behind it the second time', () => {
    const router = new Router()
    router.get('/a', { operationId: 'readA' }, () => 1)
    const app = new App().include(router).include(router, { prefix: '/v2' })
    assert.deepEqual([operation(app, '/a').operationId, operation(app, '/v2/a').operationId], ['readA', 'readA2'])
  })
})

describe('what a route says of itself', () => {
  test('stands in its operation: summary, description, externalDocs, deprecated, words and fields of answers', () => {
    const app = new App()
    app.post(
      '/orders',
      {
        summary: 'Place an order',
        description: 'It *lasts*.',
        externalDocs: { url: 'https://docs.test/orders' },
        deprecated: true,
        body: Order,
        returns: { 201: Order },
        responses: {
          201: {
            description: 'It is placed',
            headers: {
              Location: { schema: z.string(), description: 'Where it is', required: true },
              'X-Count': z.int(),
            },
            links: { read: { operationId: 'getOrder' } },
          },
        },
      },
      ({ body, reply }) => reply(201, body),
    )
    const found = operation(app, '/orders', 'post')
    assert.equal(found.summary, 'Place an order')
    assert.equal(found.description, 'It *lasts*.')
    assert.deepEqual(found.externalDocs, { url: 'https://docs.test/orders' })
    assert.equal(found.deprecated, true)
    const { description, headers, links } = found.responses['201']
    assert.equal(description, 'It is placed')
    assert.deepEqual(headers.Location, { description: 'Where it is', required: true, schema: { type: 'string' } })
    assert.equal(headers['X-Count'].schema.type, 'integer')
    assert.deepEqual(links, { read: { operationId: 'getOrder' } })
  })

  test('gives named examples to parameters, bodies and answers', () => {
    const app = new App()
    const lamp = { lamp: { summary: 'The usual', value: { id: 7 } } }
    app.post(
      '/orders/{id}',
      {
        params: z.object({ id: z.int() }),
        query: z.object({ page: z.int().optional() }),
        body: Order,
        returns: { 200: Order },
        examples: {
          params: { id: { first: { value: 1 } } },
          query: { page: { second: { value: 2 } } },
          body: lamp,
          returns: { 200: lamp },
        },
      },
      ({ body }) => body,
    )
    const found = operation(app, '/orders/{id}', 'post')
    assert.deepEqual(
      found.parameters.map((parameter: Json) => parameter.examples),
      [{ first: { value: 1 } }, { second: { value: 2 } }],
    )
    assert.deepEqual(found.requestBody.content['application/json'].examples, lamp)
    assert.deepEqual(found.responses['200'].content['application/json'].examples, lamp)
  })

  test('refuses examples that have no place', () => {
    const app = new App()
    app.get('/a', { examples: { body: {} } }, () => 1)
    assert.throws(() => app.openapi(), { code: 'APP_NO_PLACE', message: /GET \/a .*neither body nor form/ })
    const other = new App()
    other.get('/a', { returns: { 200: Order }, examples: { returns: { 204: {} } } }, () => ({ id: 1 }) as never)
    assert.throws(() => other.openapi(), { code: 'APP_NO_PLACE', message: /examples\.returns has a 204/ })
  })

  test('is merged with what it gives as `openapi`: objects by key, lists one behind the other', () => {
    const app = new App()
    app.get(
      '/a',
      { tags: ['a'], openapi: { 'x-internal': true, tags: ['b'], responses: { 200: { 'x-note': 'n' } } } },
      () => 1,
    )
    const found = operation(app, '/a')
    assert.equal(found['x-internal'], true)
    assert.deepEqual(found.tags, ['a', 'b'])
    assert.equal(found.responses['200']['x-note'], 'n')
    assert.equal(found.responses['200'].description, 'OK')
  })
})

describe('webhooks and callbacks', () => {
  test('webhooks are described as what the application sends: the output of their body', () => {
    const app = new App({
      webhooks: {
        'order-placed': { body: Order, summary: 'An order was placed', tags: ['events'] },
        ping: { method: 'GET', query: z.object({ challenge: z.string() }), returns: z.string() },
      },
    })
    app.post('/orders', { body: Order, returns: { 201: Order } }, ({ body, reply }) => reply(201, body))
    const webhooks = app.openapi()['webhooks'] as Json
    assert.equal(webhooks['order-placed'].post.operationId, 'orderPlacedWebhook')
    assert.deepEqual(webhooks['order-placed'].post.requestBody.content['application/json'].schema, {
      $ref: '#/components/schemas/Order-Output',
    })
    assert.deepEqual(Object.keys(webhooks['order-placed'].post.responses), ['200'])
    assert.deepEqual(webhooks.ping.get.parameters, [
      { name: 'challenge', in: 'query', required: true, schema: { type: 'string' } },
    ])
  })

  test('callbacks stand in their operation, by name and URL, with ids of their own', () => {
    const app = new App()
    app.post(
      '/payments',
      { body: Order, callbacks: { paid: { '{$request.body#/notify}': { body: Order, returns: { 204: null } } } } },
      () => 1,
    )
    const { post } = operation(app, '/payments', 'post').callbacks.paid['{$request.body#/notify}']
    assert.equal(post.operationId, 'postPaymentsPaidCallback')
    assert.deepEqual(Object.keys(post.responses), ['204'])
  })
})

describe('what an app says', () => {
  test('has contact, terms, servers with variables, and tags with docs, in the order given', () => {
    const openapiTags = [{ name: 'b', externalDocs: { url: 'https://b.test' } }, { name: 'a' }]
    const servers = [
      { url: 'https://{region}.shop.test', variables: { region: { default: 'eu', enum: ['eu', 'us'] } } },
    ]
    const app = new App({
      termsOfService: 'https://shop.test/terms',
      contact: { name: 'Us', url: 'https://shop.test', email: 'us@shop.test' },
      openapiTags,
      servers,
    })
    const document = app.openapi()
    assert.equal(document.info['termsOfService'], 'https://shop.test/terms')
    assert.deepEqual(document.info['contact'], { name: 'Us', url: 'https://shop.test', email: 'us@shop.test' })
    assert.deepEqual(document['tags'], openapiTags)
    assert.deepEqual(document.servers, servers)
  })

  test('is merged into the document, or changes it by a function', () => {
    const app = new App({ openapi: { info: { 'x-logo': { url: '/logo.png' } }, openapi: '3.1.1' } })
    assert.deepEqual(app.openapi().info['x-logo'], { url: '/logo.png' })
    assert.equal(app.openapi().info.title, 'Millrace')
    assert.equal(app.openapi().openapi, '3.1.1')
    const changed = new App({ openapi: document => ({ ...document, 'x-made': 'by hand' }) })
    assert.equal(changed.openapi()['x-made'], 'by hand')
  })

  test('can ask for one component where input and output differ', () => {
    const app = new App({ separateInputOutput: false })
    app.put('/orders', { body: Order, returns: Order }, ({ body }) => body)
    const { schemas } = app.openapi().components
    assert.ok('Order' in schemas && !('Order-Input' in schemas))
    assert.deepEqual(schemas.Order.required, ['id'])
  })
})
