// The shop's reviews where MONGODB_URL names a MongoDB; the same cases as in PostgreSQL, and what becomes of them when it is away.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mongoReviews } from '../../examples/shop/reviews/mongo-store.ts'
import { mongoServer } from '../data/support/mongo-server.ts'
import { eventually } from '../data/support/server.ts'

const server = await mongoServer()
const database = await server.open()
const url = new URL(server.url)
url.pathname = `/${database.driver.databaseName}`
process.env['MONGODB_URL'] = url.href

// After the variable: the app reads it when it is loaded.
const { routeCases, storeCases } = await import('./support/review-cases.ts')
const { openShop } = await import('./support/shop.ts')
const shop = await openShop(3)

routeCases(server.name, shop)
storeCases(server.name, await mongoReviews(database), async () => (await shop.product()).id)

test(
  'while MongoDB is away what is cached is answered, the rest of the shop is as before, and reviews say when to come back',
  {
    skip: server.name === 'MongoDB' && 'a real server is not ours to kill',
  },
  async () => {
    const [known, other] = [await shop.product(), await shop.product()]
    const path = (id: number): `/${string}` => `/products/${id}/reviews`
    await shop.send('POST', path(known.id), { rating: 5, author: 'Ada', text: 'kept' })
    assert.equal((await shop.send('GET', path(known.id))).body.count, 1)
    await server.kill()
    assert.equal((await shop.send('GET', path(known.id))).body.count, 1)
    const away = await shop.send('GET', path(other.id))
    assert.equal(away.status, 503)
    assert.match(away.headers.get('retry-after')!, /^[1-9]/)
    assert.equal((await shop.send('GET', `/products/${other.id}`)).status, 200)
    await server.startAgain()
    await eventually(async () => {
      const answer = await shop.send('GET', path(other.id))
      return answer.status === 200 ? answer : undefined
    })
  },
)
