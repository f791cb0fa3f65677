import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { App, Router } from 'millrace'
import { testClient } from 'millrace/testing'
import { silent } from './support/seams.ts'

/** Over app.fetch, whose URL names the host. */
const at = (app: App<any, any>, host: string, path: string, init?: RequestInit) =>
  app.fetch(new Request(`http://${host}${path}`, init))

describe('routes of one host', () => {
  const make = () => {
    const app = new App({ log: silent })
    app.get('/', () => 'anywhere')
    app.get('/health', () => 'well')
    const tenant = app.host('{tenant}.example.com')
    tenant.get('/', ({ params }) => `tenant ${params.tenant}`)
    tenant.get('/orders/{id}', { params: z.object({ tenant: z.string(), id: z.int() }) }, ({ params }) => params)
    const admin = new Router()
    admin.get('/', () => 'admin')
    app.host('admin.example.com', admin)
    return app
  }

  test('answer there, with the names of the host among params; text is found before a name', async () => {
    const app = make()
    assert.equal(await (await at(app, 'acme.example.com', '/')).json(), 'tenant acme')
    assert.deepEqual(await (await at(app, 'acme.example.com', '/orders/7')).json(), { tenant: 'acme', id: 7 })
    assert.equal(await (await at(app, 'admin.example.com', '/')).json(), 'admin')
    assert.equal((await at(app, 'acme.example.com', '/orders/x')).status, 422)
    await app.close()
  })

  test('leave the others where they are: case, port and the dot at the end do not count', async () => {
    const app = make()
    assert.equal(await (await at(app, 'other.test', '/')).json(), 'anywhere')
    assert.equal(await (await at(app, 'a.b.example.com', '/')).json(), 'anywhere')
    assert.equal(await (await at(app, 'acme.example.com', '/health')).json(), 'well')
    assert.equal(await (await at(app, 'ACME.Example.com:8080', '/')).json(), 'tenant acme')
    assert.equal((await at(app, 'other.test', '/orders/7')).status, 404)
    await app.close()
  })

  test('are found by the Host field over a connection', async () => {
    const client = testClient(make())
    const answer = await client.fetch('/', { headers: { host: 'acme.example.com:81' } })
    assert.equal(await answer.json(), 'tenant acme')
    await client.close()
  })

  test('of another app are all that is there', async () => {
    const status = new App({ log: silent })
    status.get('/', () => 'status')
    const app = new App({ log: silent })
    app.get('/a', () => 'a')
    app.host('status.example.com', status)
    assert.equal(await (await at(app, 'status.example.com', '/')).json(), 'status')
    assert.equal((await at(app, 'status.example.com', '/a')).status, 404)
    assert.equal(await (await at(app, 'example.com', '/a')).json(), 'a')
    await app.close()
  })

  test('have cached answers of their own', async () => {
    const app = new App({ log: silent })
    let loads = 0
    const lists = new Router()
    lists.get('/list', { cache: { ttl: '1m' } }, () => ++loads)
    app.host('{tenant}.example.com', lists)
    const ask = async (tenant: string) => (await at(app, `${tenant}.example.com`, '/list')).json()
    assert.deepEqual([await ask('a'), await ask('a'), await ask('b'), await ask('a')], [1, 1, 2, 1])
    await app.close()
  })

  test('stand in the document with their host as the server, its names as variables', () => {
    const app = make()
    const paths = app.openapi().paths as any
    assert.deepEqual(paths['/orders/{id}'].get.servers, [
      { url: '//{tenant}.example.com', variables: { tenant: { default: 'tenant' } } },
    ])
    assert.deepEqual(
      paths['/orders/{id}'].get.parameters.map((each: any) => each.name),
      ['id'],
    )
    assert.equal(paths['/'].get.servers, undefined, 'what is there for every host has the place')
  })

  test('have URLs that name it', () => {
    const app = make()
    const url = app.url('//{tenant}.example.com/orders/{id}', { params: { tenant: 'acme', id: 7 } })
    assert.equal(url, '//acme.example.com/orders/7')
  })

  test('are refused for what is no host', () => {
    const host = (pattern: string) => () => new App().host(pattern)
    assert.throws(host('example.com:80'), { code: 'APP_BAD_HOST', message: /port does not count/ })
    assert.throws(host('a{b}.com'), { code: 'APP_BAD_HOST', message: /whole label/ })
    assert.throws(host('{a}.{a}.com'), { code: 'APP_BAD_HOST', message: /twice/ })
    assert.throws(host(''), { code: 'APP_BAD_HOST' })
  })
})

describe('versions', () => {
  const make = (versions?: object) => {
    const app = new App({ log: silent, ...(versions ? { versions } : {}) })
    const one = new Router({ version: '1' })
    one.get('/products', () => 'old')
    one.get('/gone', () => 'still here')
    const two = new Router({ version: '10' })
    two.get('/products', () => 'new')
    app.include(one).include(two)
    app.get('/health', () => 'well')
    return app
  }
  const ask = (app: App<any, any>, path: string, version?: string) =>
    at(app, 'a.test', path, version === undefined ? {} : { headers: { 'api-version': version } })

  test('are asked for by a field; without one the lowest answers, and what has no version always does', async () => {
    const app = make()
    assert.equal(await (await ask(app, '/products')).json(), 'old')
    assert.equal(await (await ask(app, '/products', '1')).json(), 'old')
    assert.equal(await (await ask(app, '/products', '10')).json(), 'new')
    assert.equal((await ask(app, '/gone', '10')).status, 404)
    for (const version of [undefined, '1', '10'])
      assert.equal(await (await ask(app, '/health', version)).json(), 'well')
    await app.close()
  })

  test('are told to caches, and one that is not there is a 400 that names those that are', async () => {
    const app = make()
    assert.equal((await ask(app, '/products')).headers.get('vary'), 'api-version')
    assert.equal((await ask(app, '/health')).headers.get('vary'), null)
    const unknown = await ask(app, '/products', '3')
    assert.equal(unknown.status, 400)
    assert.match(await unknown.text(), /api-version may be 1, 10/)
    await app.close()
  })

  test('have a field and a default of the author’s choice', async () => {
    const app = make({ header: 'X-Version', default: '10' })
    assert.equal(await (await ask(app, '/products')).json(), 'new')
    const answer = await at(app, 'a.test', '/products', { headers: { 'x-version': '1' } })
    assert.equal(await answer.json(), 'old')
    await app.close()
    assert.throws(() => make({ default: '3' }).manifest(), { code: 'APP_NO_VERSION', message: /1, 10/ })
  })

  test('have a document each, served to who asks for it', async () => {
    const app = make()
    const paths = (version?: string) => Object.keys(app.openapi(version === undefined ? {} : { version }).paths)
    assert.deepEqual(paths(), ['/products', '/gone', '/health'])
    assert.deepEqual(paths('10'), ['/products', '/health'])
    const { parameters } = (app.openapi({ version: '10' }).paths as any)['/products'].get
    assert.deepEqual(parameters[0].schema, { type: 'string', enum: ['10'] })
    assert.equal(parameters[0].required, true)
    const served = (await (await ask(app, '/openapi.json', '10')).json()) as { paths: object }
    assert.deepEqual(Object.keys(served.paths), ['/products', '/health'])
    await app.close()
  })

  test('of one route twice are refused, naming it', () => {
    const app = make()
    const again = new Router({ version: '1' })
    again.get('/products', () => 1)
    assert.throws(() => app.include(again).manifest(), { code: 'APP_DUPLICATE_ROUTE', message: /GET \/products/ })
  })
})

describe('the path of a proxy', () => {
  const make = (of: object = {}) => {
    const app = new App({ log: silent, rootPath: '/api/v1', ...of })
    app.get('/items/{id}', ({ params }) => ({ id: params.id, self: app.url('/items/{id}', { params }) }))
    return app
  }

  test('may be left on or taken off: both find the route, and links have it', async () => {
    const app = make()
    for (const path of ['/api/v1/items/7', '/items/7'])
      assert.deepEqual(await (await at(app, 'a.test', path)).json(), { id: '7', self: '/api/v1/items/7' })
    assert.equal((await at(app, 'a.test', '/api/v10/items/7')).status, 404)
    await app.close()
  })

  test('is in redirects and in the servers of the document, once', async () => {
    const app = make({ servers: [{ url: 'https://shop.test/api/v1' }] })
    for (const path of ['/api/v1/items/7/', '/items/7/'])
      assert.equal((await at(app, 'a.test', path)).headers.get('location'), '/api/v1/items/7')
    for (const path of ['/api/v1/openapi.json', '/openapi.json']) {
      const { servers } = (await (await at(app, 'a.test', path)).json()) as { servers: object[] }
      assert.deepEqual(servers, [{ url: '/api/v1' }, { url: 'https://shop.test/api/v1' }])
    }
    await app.close()
  })

  test('comes before that of a mount', async () => {
    const inner = new App({ log: silent })
    inner.get('/a', () => inner.url('/a'))
    const app = new App({ log: silent, rootPath: '/api' }).mount('/inner', inner)
    assert.equal(await (await at(app, 'a.test', '/api/inner/a')).json(), '/api/inner/a')
    const { servers } = (await (await at(app, 'a.test', '/inner/openapi.json')).json()) as { servers: object[] }
    assert.deepEqual(servers, [{ url: '/api/inner' }])
    await app.close()
  })

  test('is refused when it is none', () => {
    for (const rootPath of ['api', '/api/', '/{a}', '//host'])
      assert.throws(() => new App({ rootPath }), { code: 'APP_BAD_PREFIX' })
  })
})
