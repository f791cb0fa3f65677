import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { App, Router } from 'millrace'
import { routeTable } from '../../src/cli/route-table.ts'

function shop(): App {
  const app = new App()
  app.get(
    '/products/{id}',
    { operationId: 'getProduct', timeout: '2s', limit: { concurrent: 200, queue: 50 }, cache: { ttl: '5s' } },
    () => 1,
  )
  app.post('/products', { priority: 'critical' }, () => 1)
  app.include(things, { prefix: '/v' })
  const inner = new App()
  inner.get('/old-things', () => 1)
  app.mount('/inner', inner)
  app.mount('/old', () => new Response())
  app
    .host('{tenant}.example.com')
    .get('/a-path-that-is-long/and-goes-on/for-a-while', { timeout: 500, hidden: true }, () => 1)
  return app
}
const things = new Router({ version: '2', deprecated: true })
things.delete('/x', () => 1)

describe('the table of routes', () => {
  test('has a line for each: method, path, id, and what stands around it', () => {
    assert.equal(
      routeTable(shop().manifest().routes, 100),
      `GET     /products/{id}                                getProduct  limit 200+50, timeout 2s, cache 5s
POST    /products                                                 critical
DELETE  /v/x                                                      version 2, deprecated
GET     /inner/old-things
any     /old/*
GET     //{tenant}.example.com/a-path-that-is-long/and-goes-on/for-a-while
          timeout 500ms, hidden
`,
    )
  })

  test('keeps to the columns there are', () => {
    for (const columns of [80, 60])
      for (const line of routeTable(shop().manifest().routes, columns).split('\n'))
        assert.ok(line.length <= columns || line.trimStart().startsWith('GET     //'), `${line.length}: ${line}`)
  })
})
