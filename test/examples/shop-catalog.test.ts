// The shop's catalogue: pages, search, the cached detail, and what only the shopkeeper may do.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { changeProduct, getProduct, listProducts, searchProducts } from '../../examples/shop/catalog/routes.ts'
import type { Sort } from '../../examples/shop/catalog/schema.ts'
import { makeProducts } from '../../examples/shop/seed/products.ts'
import { ADMIN, openShop } from './support/shop.ts'

const SEEDED = 300
const NEW = { name: 'Lamp', description: 'It shines.', category: 'tests', priceCents: 1, stock: 1 }

const shop = await openShop(SEEDED)

/** Every page from the first to the last. */
async function walk(query: { sort?: Sort; category?: string }, limit: number): Promise<number[]> {
  const ids: number[] = []
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page = await shop.api.call(listProducts, { query: { ...query, limit, ...(cursor ? { cursor } : {}) } })
    assert.ok(page.status === 200)
    assert.ok(page.body.items.length <= limit)
    ids.push(...page.body.items.map(({ id }) => id))
    cursor = page.body.nextCursor
  }
  return ids
}

describe('the list', () => {
  const seeded = makeProducts(1, SEEDED)
  type Of = (typeof seeded)[number]
  const orders: Record<Sort, (a: Of, b: Of) => number> = {
    newest: (a, b) => b.id - a.id,
    price: (a, b) => a.priceCents - b.priceCents || a.id - b.id,
    '-price': (a, b) => b.priceCents - a.priceCents || b.id - a.id,
    name: (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.id - b.id),
  }
  for (const [sort, order] of Object.entries(orders) as [Sort, (a: Of, b: Of) => number][]) {
    test(`gives every product once and in order, page by page, sorted by ${sort}`, async () => {
      const expected = seeded.toSorted(order).map(({ id }) => id)
      assert.deepEqual(await walk({ sort }, 37), expected)
      assert.deepEqual(await walk({ sort }, 100), expected)
    })

    test(`does so within a category, sorted by ${sort}`, async () => {
      const kitchen = seeded.filter(({ category }) => category === 'kitchen').toSorted(order)
      assert.ok(kitchen.length > 10)
      assert.deepEqual(
        await walk({ sort, category: 'kitchen' }, 3),
        kitchen.map(({ id }) => id),
      )
    })
  }

  test('tells products of equal price apart at the border of two pages', async () => {
    const made = []
    for (let n = 0; n < 5; n++) made.push((await shop.product({ category: 'equal', priceCents: 777 })).id)
    assert.deepEqual(await walk({ sort: 'price', category: 'equal' }, 2), made)
    assert.deepEqual(await walk({ sort: '-price', category: 'equal' }, 2), made.toReversed())
    assert.deepEqual(await walk({ sort: 'name', category: 'equal' }, 2), made)
  })

  test('begins with the twenty newest', async () => {
    const { id } = await shop.product()
    const page = await shop.api.call(listProducts)
    assert.ok(page.status === 200)
    assert.equal(page.body.items.length, 20)
    assert.equal(page.body.items[0]?.id, id)
  })

  test('is empty, and has no next page, for a category that nothing is in', async () => {
    const page = await shop.api.call(listProducts, { query: { category: 'nothing' } })
    assert.deepEqual(page.body, { items: [], nextCursor: null })
  })

  test('refuses a cursor of another order, and one it never gave', async () => {
    const page = await shop.api.call(listProducts, { query: { sort: 'price', limit: 1 } })
    assert.ok(page.status === 200)
    const forged = [
      page.body.nextCursor!,
      'rubbish',
      '',
      ...[['name', 'a\0', 1], ['name', 1, 1], ['name', 'a'], ['name', 'a', 1e12], null].map(of =>
        Buffer.from(JSON.stringify(of)).toString('base64url'),
      ),
    ]
    for (const cursor of forged) {
      const refused = await shop.api.call(listProducts, { query: { sort: 'name', cursor } })
      assert.equal(refused.status, 400, cursor)
    }
  })

  test('is compressed for who understands that', async () => {
    const response = await shop.api.fetch('/products', { headers: { 'accept-encoding': 'gzip' } })
    assert.equal(response.headers.get('content-encoding'), 'gzip')
    await response.arrayBuffer()
  })
})

describe('search', () => {
  const search = async (q: string, limit = 20) => {
    const found = await shop.api.call(searchProducts, { query: { q, limit } })
    assert.ok(found.status === 200)
    return found.body.items
  }

  test('finds words in every form, the name before the description', async () => {
    const inText = await shop.product({ name: 'Plain box', description: 'Holds one zeppelin.' })
    const inName = await shop.product({ name: 'Zeppelins', description: 'A pair.' })
    const both = await shop.product({ name: 'Zeppelin hangar', description: 'For a zeppelin.' })
    const found = (await search('zeppelin')).map(({ id }) => id)
    assert.deepEqual(found.toSorted(), [inText.id, inName.id, both.id])
    assert.equal(found.at(-1), inText.id)
    assert.equal((await search('zeppelin', 1)).length, 1)
  })

  test('knows phrases and exclusions', async () => {
    const desk = await shop.product({ name: 'Quagga standing desk' })
    const chair = await shop.product({ name: 'Quagga chair' })
    assert.deepEqual(
      (await search('quagga -desk')).map(({ id }) => id),
      [chair.id],
    )
    assert.deepEqual(
      (await search('"standing desk" quagga')).map(({ id }) => id),
      [desk.id],
    )
  })

  test('is done once for everybody who asks the same, and again after a product has come or changed', async () => {
    const before = shop.statements()
    await Promise.all(Array.from({ length: 100 }, () => search('okapi')))
    assert.equal(shop.statements() - before, 1)
    const { id } = await shop.product({ name: 'Okapi' })
    assert.equal((await search('okapi'))[0]?.name, 'Okapi')
    const changed = await shop.send('PATCH', `/products/${id}`, { name: 'Okapi, plush' }, ADMIN)
    assert.equal(changed.status, 200)
    assert.equal((await search('okapi'))[0]?.name, 'Okapi, plush')
  })

  test('is kept when only a stock has changed', async () => {
    const { id } = await shop.product({ name: 'Quokka' })
    assert.equal((await search('quokka')).length, 1)
    const changed = await shop.send('PATCH', `/products/${id}`, { stock: 99 }, ADMIN)
    assert.equal(changed.body.stock, 99)
    const before = shop.statements()
    assert.equal((await search('quokka')).length, 1)
    assert.equal(shop.statements() - before, 0)
    assert.equal((await shop.send('GET', `/products/${id}`)).body.stock, 99)
  })

  test('takes any text for words, never for syntax', async () => {
    for (const q of [`'`, '"', '\\', ':*', '& | !', '(', '%', `'; drop table products; --`, '-', '\u{1f680}'])
      assert.deepEqual(await search(q), [], q)
  })

  test('takes any number of exclusions', async () => {
    const { id } = await shop.product({ name: 'Numbat' })
    for (const dashes of ['-'.repeat(100), '- '.repeat(90), '-!('.repeat(60), '-- '.repeat(60), '-"" '.repeat(40)]) {
      assert.ok(Array.isArray(await search(`${dashes}numbat`)), dashes)
      assert.ok(!(await search(`lamp ${dashes}numbat`)).some(found => found.id === id), dashes)
    }
  })
})

describe('a product', () => {
  test('is asked for once, however many want it for the first time', async () => {
    const { id } = await shop.product({ name: 'Wanted' })
    const before = shop.statements()
    const answers = await Promise.all(Array.from({ length: 1000 }, () => shop.api.call(getProduct, { params: { id } })))
    assert.equal(shop.statements() - before, 1)
    for (const { status, body } of answers) {
      assert.ok(status === 200)
      assert.equal(body.name, 'Wanted')
    }
    await shop.api.call(getProduct, { params: { id } })
    assert.equal(shop.statements() - before, 1)
  })

  test('shows a change from the moment the change is answered', async () => {
    const product = await shop.product()
    for (let stock = 1; stock < 20; stock++) {
      const [changed] = await Promise.all([
        shop.api.call(changeProduct, { params: { id: product.id }, headers: ADMIN, body: { stock } }),
        shop.api.call(getProduct, { params: { id: product.id } }),
      ])
      assert.equal(changed.status, 200)
      const { body } = await shop.api.call(getProduct, { params: { id: product.id } })
      const { updatedAt: _, ...rest } = product
      assert.partialDeepStrictEqual(body, { ...rest, stock })
    }
  })

  test('keeps what a change leaves out', async () => {
    const product = await shop.product()
    const changed = await shop.api.call(changeProduct, {
      params: { id: product.id },
      headers: ADMIN,
      body: { name: '  Better lamp  ', priceCents: 0 },
    })
    assert.ok(changed.status === 200)
    assert.ok(changed.body.updatedAt > product.updatedAt)
    const { updatedAt } = changed.body
    assert.deepEqual(changed.body, { ...product, name: 'Better lamp', priceCents: 0, updatedAt })
  })

  test('that is not there is a 404, for readers and for the shopkeeper', async () => {
    const [read, change] = [
      await shop.send('GET', '/products/2000000000'),
      await shop.send('PATCH', '/products/2000000000', { stock: 1 }, ADMIN),
    ]
    for (const { status, body, headers } of [read, change]) {
      assert.equal(status, 404)
      assert.equal(headers.get('content-type'), 'application/problem+json')
      assert.equal(body.detail, 'No such product')
    }
  })
})

describe('the shopkeeper', () => {
  test('needs the key', async () => {
    for (const headers of [
      {},
      { 'x-api-key': '' },
      { 'x-api-key': 'a key for test' },
      { 'x-api-key': 'A key for tests' },
    ])
      for (const [method, path] of [
        ['POST', '/products'],
        ['PATCH', '/products/1'],
      ] as const) {
        const refused = await shop.send(method, path, NEW, headers)
        assert.equal(refused.status, 401)
        assert.match(refused.headers.get('www-authenticate') ?? '', /^APIKey /)
      }
  })

  test('is asked for the key before the body is judged', async () => {
    assert.equal((await shop.send('POST', '/products', { name: 7 }, {})).status, 401)
    assert.equal((await shop.send('PATCH', '/products/none', {}, {})).status, 401)
    const wrong = { 'x-api-key': 'wrong' }
    assert.equal((await shop.send('POST', '/products', { name: 7 }, wrong)).status, 401)
    assert.equal((await shop.send('PATCH', '/products/none', {}, wrong)).status, 401)
  })
})

const ISSUES: readonly [method: string, path: `/${string}`, body: unknown, ...places: string[]][] = [
  ['GET', '/products?limit=0', undefined, 'query.limit'],
  ['GET', '/products?limit=101&sort=cheapest', undefined, 'query.limit', 'query.sort'],
  ['GET', '/products?limit=ten&category=', undefined, 'query.limit', 'query.category'],
  ['GET', '/products?category=%00', undefined, 'query.category'],
  ['GET', '/products/search', undefined, 'query.q'],
  ['GET', '/products/search?q=', undefined, 'query.q'],
  ['GET', '/products/search?q=a%00b', undefined, 'query.q'],
  ['GET', `/products/search?q=${'long'.repeat(60)}`, undefined, 'query.q'],
  ['GET', '/products/0', undefined, 'path.id'],
  ['GET', '/products/-1', undefined, 'path.id'],
  ['GET', '/products/1.5', undefined, 'path.id'],
  ['GET', '/products/seven', undefined, 'path.id'],
  ['GET', '/products/2147483648', undefined, 'path.id'],
  ['POST', '/products', undefined, 'body'],
  ['POST', '/products', [], 'body'],
  ['POST', '/products', {}, 'body.name', 'body.description', 'body.category', 'body.priceCents', 'body.stock'],
  ['POST', '/products', { ...NEW, name: ' ', category: 'x'.repeat(61) }, 'body.name', 'body.category'],
  ['POST', '/products', { ...NEW, name: 'a\0b' }, 'body.name'],
  ['POST', '/products', { ...NEW, priceCents: -1, stock: 1.5 }, 'body.priceCents', 'body.stock'],
  ['POST', '/products', { ...NEW, priceCents: '1', stock: null }, 'body.priceCents', 'body.stock'],
  ['POST', '/products', { ...NEW, stock: 1_000_001 }, 'body.stock'],
  ['POST', '/products', { ...NEW, colour: 'red' }, 'body.colour'],
  ['PATCH', '/products/1', {}, 'body'],
  ['PATCH', '/products/1', { id: 2, stock: 1 }, 'body.id'],
  ['PATCH', '/products/x', { stock: -1 }, 'path.id', 'body.stock'],
]

describe('bad input', () => {
  for (const [method, path, body, ...places] of ISSUES)
    test(`${method} ${path.slice(0, 60)} ${JSON.stringify(body)?.slice(0, 60) ?? ''} is refused for ${places.join(', ')}`, async () => {
      const refused = await shop.send(method, path, body, ADMIN)
      assert.equal(refused.status, 422)
      assert.deepEqual(
        (refused.body.errors as { loc: string[] }[]).map(({ loc }) => loc.join('.')),
        places,
      )
    })

  test('bodies that are no JSON are refused as such', async () => {
    assert.equal((await shop.send('POST', '/products', '{"name":', ADMIN)).status, 400)
    const asText = await shop.send('POST', '/products', 'name=Lamp', { ...ADMIN, 'content-type': 'text/plain' })
    assert.equal(asText.status, 415)
  })
})
