// Schemathesis against the shop, over PostgreSQL: as its keeper and as a customer, with things to buy, carts and orders.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serve } from 'millrace/server'
import app from '../../../examples/shop/app.ts'
import { ADMIN, openShop } from '../../examples/support/shop.ts'
import { holdTo, skip, type OnPurpose } from './schemathesis.ts'

const shop = skip ? undefined : await openShop(100)

const ON_PURPOSE: readonly OnPurpose[] = [
  { operation: 'GET /products', why: 'takes the cursors that it gave', takes: { positive_data_acceptance: [400] } },
  { operation: 'GET /accounts/me/orders', why: 'does so too', takes: { positive_data_acceptance: [400] } },
  { operation: 'POST /carts/{id}/items', why: 'may be of a full cart', takes: { positive_data_acceptance: [422] } },
  { operation: 'POST /orders', why: 'wants an email of guests', takes: { positive_data_acceptance: [422] } },
  // The path fits PATCH /products/{id} as well. "search" is no id, but only that route can say so.
  { operation: 'GET /products/search', why: 'may be a product', without: ['allow_header_conformance'] },
]

async function tokenOf(username: string): Promise<string> {
  const password = 'correct horse battery'
  const { status } = await shop!.send('POST', '/accounts', { email: username, password })
  assert.equal(status, 201)
  const body = new URLSearchParams({ grant_type: 'password', username, password })
  const answer = await shop!.api.fetch('/token', { method: 'POST', body })
  return ((await answer.json()) as { access_token: string }).access_token
}

/** A cart for each of `count`, every other one of them ordered already. */
async function sell(count: number): Promise<{ readonly carts: string[]; readonly orders: string[] }> {
  const { id } = await shop!.product({ stock: 1000 })
  const carts: string[] = []
  const orders: string[] = []
  for (let n = 0; n < count; n++) {
    const cartId = await shop!.cart([id, 1])
    carts.push(cartId)
    if (n % 2 === 1)
      orders.push((await shop!.send('POST', '/orders', { cartId, email: 'ada@example.com' })).body.id as string)
  }
  return { carts, orders }
}

test('schemathesis, with all its checks, finds nothing in the shop', { skip, timeout: 170_000 }, async () => {
  const token = await tokenOf('schemathesis@example.com')
  const { carts, orders } = await sell(20)
  const known = (name: string, dictionary: string) =>
    `${JSON.stringify(name)} = { dictionary = "${dictionary}", probability = 0.7 }`
  const settings = [
    // PostgreSQL cannot keep it, and the document does not bother its readers with that (examples/shop/text.ts).
    'generation.allow-x00 = false',
    `auth.openapi.APIKeyHeader.api_key = ${JSON.stringify(ADMIN['x-api-key'])}`,
    `auth.openapi.OAuth2PasswordBearer.bearer = ${JSON.stringify(token)}`,
    `dictionaries.carts.values = ${JSON.stringify(carts)}`,
    `dictionaries.orders.values = ${JSON.stringify(orders)}`,
    '[[operations]]',
    'include-path-regex = "^/carts/"',
    // Links are guessed from names: it takes the id of a product for that of a cart.
    'phases.stateful.enabled = false',
    `parameters = { ${known('path.id', 'carts')} }`,
    '[[operations]]',
    'include-path-regex = "^/orders/"',
    `parameters = { ${known('path.id', 'orders')} }`,
    '[[operations]]',
    'include-name = "GET /orders/{id}/progress"',
    // It goes on: one event is read of it, and none where nothing comes.
    'max-stream-events = 1',
    'request-timeout = 3',
    '[[operations]]',
    'include-name = "POST /orders"',
    `parameters = { ${known('body.cartId', 'carts')} }`,
  ]
  const server = await serve(app, { port: 0, host: '127.0.0.1', signals: false, logLevel: 'error' })
  try {
    // Only OpenAPI 3.2 has words for events.
    const document = app.openapi({ openapiVersion: '3.2.0' })
    assert.match(await holdTo(server.url, { document, settings, onPurpose: ON_PURPOSE }), / (\d+) generated, \1 passed/)
  } finally {
    await server.close()
  }
})
