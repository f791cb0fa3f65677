// Carts: anybody may have one, and whoever knows its id may use it.
import { fail, Router } from 'millrace'
import * as z from 'zod'
import { db } from '../database.ts'
import { Problem } from '../problem.ts'
import { MAX_LINES, MAX_QUANTITY } from './rules.ts'
import { Cart, CartId, NewItem } from './schema.ts'
import * as store from './store.ts'

export const carts = new Router({ tags: ['Carts'] })

const params = z.object({ id: CartId })

export const addCart = carts.post(
  '/carts',
  { operationId: 'addCart', summary: 'Take an empty cart', returns: { 201: Cart }, uses: { db } },
  ({ db }) => store.addCart(db),
)

export const getCart = carts.get(
  '/carts/{id}',
  { operationId: 'getCart', summary: 'Show a cart', params, returns: { 200: Cart, 404: Problem }, uses: { db } },
  async ({ params, db, signal }) => (await store.findCart(db, params.id, { signal })) ?? fail(404, 'No such cart'),
)

export const addCartItem = carts.post(
  '/carts/{id}/items',
  {
    operationId: 'addCartItem',
    summary: 'Put something into a cart',
    description:
      'Adds to what is there already. Nothing is reserved: who orders first gets it. ' +
      `At most ${MAX_LINES} products, and at most ${MAX_QUANTITY} of each.`,
    params,
    body: NewItem,
    returns: { 200: Cart, 404: Problem, 409: Problem, 422: Problem },
    uses: { db },
  },
  async ({ params, body, db }) => {
    switch (await store.addItem(db, params.id, body)) {
      case 'added':
        return (await store.findCart(db, params.id)) ?? fail(404, 'No such cart')
      case 'no cart':
        return fail(404, 'No such cart')
      case 'no product':
        return fail(404, 'No such product')
      case 'ordered already':
        return fail(409, 'This cart has been ordered; take a new one')
      case 'too many lines':
        return fail(422, `A cart holds at most ${MAX_LINES} products`)
      case 'too many of one':
        return fail(422, `A cart holds at most ${MAX_QUANTITY} of one product`)
    }
  },
)
