// What a hit costs: without a promise, with one, and what storing a value costs for the estimate of its size.
import { Cache } from '../../src/cache/cache.ts'
import { approximateBytes } from '../../src/cache/sizes.ts'
import { compareCalls } from './time.ts'

const keys = Array.from({ length: 1_000 }, (_, i) => `GET /products/{id} ${i}`)
const cache = new Cache({ name: 'bench' })
const policy = { ttl: '1h', tags: ['products'] } as const
for (const key of keys) await cache.get(key, () => Buffer.alloc(300), policy)

compareCalls('hit, 1,000 entries', {
  peek: count => {
    let found = 0
    for (let i = 0; i < count; i++) if (cache.peek(keys[(i * 7919) % keys.length]!) !== undefined) found++
    return found
  },
  get: count => {
    let last: unknown
    for (let i = 0; i < count; i++)
      last = cache.get(
        keys[(i * 7919) % keys.length]!,
        () => {
          throw new Error('a hit must not load')
        },
        policy,
      )
    return last
  },
})

const product = {
  id: 7,
  name: 'A product',
  description: 'x'.repeat(200),
  category: 'tools',
  priceCents: 1_999,
  stock: 3,
}
const values = { 'a product': product, '50 products': Array.from({ length: 50 }, () => product), '100,000 products': Array.from({ length: 100_000 }, () => product) } // prettier-ignore
compareCalls(
  'estimating the size of',
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      (count: number) => {
        let bytes = 0
        for (let i = 0; i < count; i++) bytes += approximateBytes(value)
        return bytes
      },
    ]),
  ),
)
