// What the shop's reviews promise, wherever they are kept: one list for the store, one for the routes.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { addReview, listReviews } from '../../../examples/shop/reviews/routes.ts'
import type { ReviewStore } from '../../../examples/shop/reviews/store.ts'
import type { Shop } from './shop.ts'

/** @param product  makes a product that nobody has reviewed, and gives its id */
export function storeCases(where: string, store: ReviewStore, product: () => Promise<number>): void {
  describe(`reviews in ${where}`, () => {
    test('are kept as they were written, and given newest first', async () => {
      const id = await product()
      const made = []
      for (const rating of [1, 4, 5])
        made.push(await store.add(id, { rating, author: 'Ada', text: `${rating} "stars" – ★` }))
      for (const { createdAt } of made) assert.match(createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/)
      assert.equal(new Set(made.map(({ id }) => id)).size, 3)
      const { items } = await store.list(id, 20)
      assert.deepEqual(items, made.toReversed())
      assert.deepEqual((await store.list(id, 2)).items, made.slice(1).toReversed())
    })

    test('are counted and averaged over all, not only those that are given', async () => {
      const id = await product()
      for (const rating of [5, 5, 4]) await store.add(id, { rating, author: 'Bob', text: 'x' })
      const { count, average, items } = await store.list(id, 1)
      assert.deepEqual({ count, average, given: items.length }, { count: 3, average: 4.7, given: 1 })
    })

    test('of one product are not those of another, and none is none', async () => {
      const [reviewed, other] = [await product(), await product()]
      await store.add(reviewed, { rating: 3, author: 'Eve', text: 'so so' })
      assert.deepEqual(await store.list(other, 20), { count: 0, average: null, items: [] })
    })

    test('written at once are all kept', async () => {
      const id = await product()
      await Promise.all(
        Array.from({ length: 20 }, (_, n) => store.add(id, { rating: (n % 5) + 1, author: 'Ada', text: `${n}` })),
      )
      const { count, average, items } = await store.list(id, 100)
      assert.deepEqual([count, average, new Set(items.map(({ text }) => text)).size], [20, 3, 20])
    })

    test('that nobody waits for any more are not looked for', async () => {
      const signal = AbortSignal.abort(new Error('the client has left'))
      await assert.rejects(store.list(await product(), 20, { signal }), /the client has left/)
    })
  })
}

export function routeCases(where: string, shop: Shop): void {
  describe(`the shop's reviews, in ${where}`, () => {
    const review = { rating: 4, author: 'Ada', text: 'Stands firmly.' }

    test('are answered from the cache until somebody writes one', async () => {
      const { id } = await shop.product()
      const params = { id }
      const read = async () => {
        const answer = await shop.api.call(listReviews, { params })
        assert.ok(answer.status === 200)
        return answer.body
      }
      assert.equal((await read()).count, 0)
      const made = await shop.api.call(addReview, { params, body: review })
      assert.ok(made.status === 201)
      assert.deepEqual(await read(), { count: 1, average: 4, items: [made.body] })
      const sent = shop.statements()
      assert.deepEqual(await read(), { count: 1, average: 4, items: [made.body] })
      assert.equal(shop.statements(), sent)
      await shop.api.call(addReview, { params, body: { ...review, rating: 5 } })
      assert.equal((await read()).average, 4.5)
    })

    test('of no product are 404, to read and to write', async () => {
      const params = { id: 2_000_000_000 }
      assert.equal((await shop.api.call(listReviews, { params })).status, 404)
      assert.equal((await shop.api.call(addReview, { params, body: review })).status, 404)
    })

    test('that are none are refused, operators among them, and nothing is kept', async () => {
      const { id } = await shop.product()
      for (const body of [
        { ...review, rating: 6 },
        { ...review, rating: { $gt: 0 } },
        { ...review, author: { $ne: null } },
        { ...review, $where: '1' },
        { ...review, text: 'a\0b' },
        { ...review, text: ' ' },
        [],
      ])
        assert.equal((await shop.send('POST', `/products/${id}/reviews`, body)).status, 422, JSON.stringify(body))
      const proto = await shop.send(
        'POST',
        `/products/${id}/reviews`,
        `{"__proto__": {}, "rating": 4, "author": "a", "text": "b"}`,
      )
      assert.equal(proto.status, 400)
      assert.equal((await shop.send('GET', `/products/${id}/reviews?limit[$gt]=1`)).body.count, 0)
    })
  })
}
