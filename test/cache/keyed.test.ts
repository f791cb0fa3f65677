import { test } from 'node:test'
import assert from 'node:assert/strict'
import { Cache } from '../../src/cache/cache.ts'
import { InvalidationBus } from '../../src/cache/invalidation.ts'
import { type CacheKey, keyed } from '../../src/cache/keyed.ts'
import { LocalHost } from '../../src/core/host.ts'

function alone() {
  const local = new LocalHost()
  return new Cache({}, new InvalidationBus(() => local))
}

test('typed keys load, peek, delete and invalidate what they name', async () => {
  const cache = alone()
  let loads = 0
  const products = keyed(
    cache,
    'product',
    async (id: number, { signal }) => {
      signal.throwIfAborted()
      return { id, loads: ++loads }
    },
    { ttl: '1m', tags: id => [`product:${id}`] },
  )
  const product: { id: number; loads: number } = await products.get(7)
  assert.deepEqual(product, { id: 7, loads: 1 })
  assert.equal(products.peek(7)?.id, 7)
  await products.delete(7)
  assert.equal(products.peek(7), undefined)
  await products.get(7)
  await cache.invalidate('product:7')
  assert.deepEqual(await products.get(7), { id: 7, loads: 3 })
  // @ts-expect-error a key is a number
  products.peek('7')
})

test('different keys never share a value, nor do equal keys of other names', () => {
  const cache = alone()
  const keys: CacheKey[] = [7, '7', 7n, '7n', [7], '[7]', ['7'], null, 'null', [1, '2'], [1, 2], '1,2', [], '', NaN]
  const texts = ['one', 'other'].flatMap(name => {
    const values = keyed(cache, name, (key: CacheKey) => key, { ttl: '1m' })
    return keys.map(key => values.keyOf(key))
  })
  assert.equal(new Set(texts).size, 2 * keys.length)
})
