// The catalogue: lists, search and details for everybody; new products and changes for the shopkeeper.
import { cache, fail, Router } from 'millrace'
import { compress } from 'millrace/middleware'
import * as z from 'zod'
import { shopkeeper } from '../admin-key.ts'
import { db } from '../database.ts'
import { Problem } from '../problem.ts'
import { readCursor } from './cursor.ts'
import { Found, ListQuery, NewProduct, Page, Product, ProductChanges, ProductId, SearchQuery } from './schema.ts'
import * as store from './store.ts'

/** What cached answers about a product are tagged with; whoever changes the product invalidates it. */
export const productTag = (id: number): string => `product:${id}`

/** What cached searches are tagged with; new products and changes of what is searched invalidate all of them, stock and orders none. */
const SEARCHES = 'searches'

export const catalog = new Router({ tags: ['Catalogue'] })

const params = z.object({ id: ProductId })

export const listProducts = catalog.get(
  '/products',
  {
    operationId: 'listProducts',
    summary: 'List products',
    description:
      'Page by page: hand `nextCursor` back as `cursor`, with the same `sort` and `category`, until it is null. ' +
      'Products that are added or change their place meanwhile neither repeat nor hide others.',
    query: ListQuery,
    returns: { 200: Page, 400: Problem },
    uses: { db },
    use: [compress()],
    timeout: '5s',
  },
  async ({ query, db, signal }) => {
    const { cursor: text, sort } = query
    const cursor = text === undefined ? undefined : readCursor(sort, text)
    if (text !== undefined && !cursor) fail(400, `The cursor is not one of this list sorted by ${sort}`)
    return store.listProducts(db, query, cursor, { signal })
  },
)

export const searchProducts = catalog.get(
  '/products/search',
  {
    operationId: 'searchProducts',
    summary: 'Search products',
    description:
      'In name, category and description, in English: `desks` finds `desk`. The stock shown may be some seconds old.',
    query: SearchQuery,
    returns: { 200: Found },
    uses: { db },
    use: [compress()],
    timeout: '5s',
    // Ranking reads every product that matches: a burst of searches must not take all connections from the other routes.
    limit: { concurrent: 5, queue: 500 },
    // Many people look for the same few things.
    cache: { ttl: '5s', staleFor: '10s', tags: [SEARCHES] },
  },
  async ({ query, db, signal }) => ({ items: await store.searchProducts(db, query, { signal }) }),
)

export const getProduct = catalog.get(
  '/products/{id}',
  {
    operationId: 'getProduct',
    summary: 'Show one product',
    params,
    returns: { 200: Product, 404: Problem },
    uses: { db },
    timeout: '5s',
    // Every change of a product, a sale included, invalidates it; the time is for changes made behind the shop's back.
    cache: { ttl: '1m', staleFor: '5m', tags: ({ params }) => [productTag(params.id)] },
  },
  async ({ params, db, signal }) =>
    (await store.findProduct(db, params.id, { signal })) ?? fail(404, 'No such product'),
)

export const addProduct = catalog.post(
  '/products',
  {
    operationId: 'addProduct',
    summary: 'Add a product',
    description: 'For the shopkeeper.',
    body: NewProduct,
    returns: { 201: Product },
    uses: { db, shopkeeper },
  },
  async ({ body, db }) => {
    const product = await store.addProduct(db, body)
    await cache.invalidate(SEARCHES)
    return product
  },
)

export const changeProduct = catalog.patch(
  '/products/{id}',
  {
    operationId: 'changeProduct',
    summary: 'Change a product',
    description: 'For the shopkeeper. Once it is answered, no worker gives out the product as it was.',
    params,
    body: ProductChanges,
    returns: { 200: Product, 404: Problem },
    uses: { db, shopkeeper },
  },
  async ({ params, body, db }) => {
    const product = (await store.changeProduct(db, params.id, body)) ?? fail(404, 'No such product')
    // A delivery changes many stocks, and a search may show them some seconds later.
    const isStockOnly = Object.keys(body).every(name => name === 'stock')
    await cache.invalidate(productTag(product.id), ...(isStockOnly ? [] : [SEARCHES]))
    return product
  },
)
