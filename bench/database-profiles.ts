// HttpArena's profiles with a database, scaled to two cores: what each sends, and exactly what must come back.
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { type ArenaItem, arenaItem, CATEGORIES, ITEMS } from './arena-items.ts'
import type { Running } from './harness/contender.ts'
import { ask, type LoadRequest, type ReceivedAnswer } from './harness/load-request.ts'
import type { Expected } from './harness/same-answer.ts'
import { PROFILES, type Profile } from './profiles.ts'

export type DatabaseProfileName = 'async-db' | 'crud' | 'api'

const LIMITS = [5, 10, 20, 35, 50]
const REQUESTS_PER_CONNECTION = { crud: 200, api: 5 }
/** Rarely asked for twice within 200 ms, and often enough that the cache counts. */
const ASKED_FOR = 1_000
const JSON_FIELDS = { 'Content-Type': 'application/json' }

export const DATABASE_PROFILES: Readonly<Record<DatabaseProfileName, () => Profile>> = {
  'async-db': () => {
    const expected = LIMITS.map(limit => inRange(10, 50, limit))
    return { requests: expected.map(({ request }) => request), expected: [...expected, inRange(drawn(400), 450, 7)] }
  },

  // 75 reads, 15 changes, 5 pages and 5 upserts in a hundred, evenly mixed.
  crud: () => {
    const requests = Array.from({ length: 20 * REQUESTS_PER_CONNECTION.crud }, (_, n): LoadRequest => {
      const id = 1 + ((n * 7_919) % ASKED_FOR)
      const kind = (n * 37) % 100
      if (kind < 75) return { path: `/crud/items/${id}` }
      if (kind < 90) return change(id)
      if (kind < 95) return { path: `/crud/items?category=${CATEGORIES[n % CATEGORIES.length]!}&page=${1 + (n % 20)}` }
      return upsert(ITEMS + id)
    })
    return { requests: closing(requests, REQUESTS_PER_CONNECTION.crud), expected: [pageOf('tools', 3)] }
  },

  api: () => {
    const [sums, totals, ranges] = [PROFILES.baseline(), PROFILES.json(), DATABASE_PROFILES['async-db']()]
    const requests = Array.from({ length: 40 }, (_, n): LoadRequest => {
      const kind = (n * 3) % 8
      const of = kind < 3 ? sums : kind < 6 ? totals : ranges
      return of.requests[n % of.requests.length]!
    })
    return {
      requests: closing(requests, REQUESTS_PER_CONNECTION.api),
      expected: [...sums.expected, ...totals.expected, ...ranges.expected],
    }
  },
}

/**
 * What one answer alone does not show: that a read is kept for 200 ms and says so, and that whoever has written reads what was written.
 *
 * @throws AssertionError
 */
export async function proveCrud({ contender, origin }: Running): Promise<void> {
  const about = (what: string) => `${contender.name}: ${what}`
  const read = (id: number) => ask(origin, { path: `/crud/items/${id}` })
  // Nobody asks for these besides: the load's ids are below, and each proof has its own.
  const id = 50_000 + drawn(10_000)
  const first = await read(id)
  assert.equal(first.cache, 'MISS', about('the first read is a miss'))
  assertItem(first, arenaItem(id), about('a read'))
  const kept = await untilHit(() => read(id))
  assertItem(kept, arenaItem(id), about('a kept read'))

  const { name, price, quantity } = { name: `Changed ${id}`, price: 9, quantity: 8 }
  const answer = await ask(origin, change(id, name, price, quantity))
  assert.equal(answer.status, 200, about('a change'))
  assert.deepEqual(JSON.parse(answer.body), { id, name, price, quantity }, about('a change'))
  const changed = await read(id)
  assert.equal(changed.cache, 'MISS', about('a read after a change is a miss'))
  assertItem(changed, { ...arenaItem(id), name, price, quantity }, about('a read after a change'))
  await delay(250)
  assert.equal((await read(id)).cache, 'MISS', about('a read is kept for 200 ms only'))
  await ask(origin, change(id, arenaItem(id).name, arenaItem(id).price, arenaItem(id).quantity))

  const made = ITEMS + 50_000 + drawn(10_000)
  for (const name of ['New', 'Newer']) {
    const answer = await ask(origin, upsert(made, name))
    assert.equal(answer.status, 201, about('an upsert'))
    assert.deepEqual(JSON.parse(answer.body), { id: made, name, category: 'bench', price: 5, quantity: 6 })
  }
  await delay(250)
  const rating = { score: 0, count: 0 }
  const item = {
    id: made,
    name: 'Newer',
    category: 'bench',
    price: 5,
    quantity: 6,
    active: true,
    tags: ['bench'],
    rating,
  }
  assertItem(await read(made), item, about('a read after an upsert'))
  assert.equal((await read(2_000_000_000)).status, 404, about('an item that is not there'))
  assert.equal((await ask(origin, change(2_000_000_000))).status, 404, about('a change of one that is not there'))
}

function assertItem({ status, mediaType, body }: ReceivedAnswer, item: ArenaItem, what: string): void {
  assert.deepEqual([status, mediaType], [200, 'application/json'], what)
  assert.equal(body, JSON.stringify(item), what)
}

/** On a machine that is busy two reads may be more than 200 ms apart. */
async function untilHit(read: () => Promise<ReceivedAnswer>): Promise<ReceivedAnswer> {
  for (let triesLeft = 100; ; triesLeft--) {
    const answer = await read()
    if (answer.cache === 'HIT' || triesLeft === 0) {
      assert.equal(answer.cache, 'HIT')
      return answer
    }
  }
}

function inRange(min: number, max: number, limit: number): Expected {
  const items: ArenaItem[] = []
  // In the order in which they were put in: nothing else tells one.
  for (let id = 1; items.length < limit; id++) {
    const item = arenaItem(id)
    if (item.price >= min && item.price <= max) items.push(item)
  }
  return json(`/async-db?min=${min}&max=${max}&limit=${limit}`, { items, count: items.length })
}

function pageOf(category: (typeof CATEGORIES)[number], page: number): Expected {
  const step = CATEGORIES.length
  const [first, limit] = [CATEGORIES.indexOf(category) || step, 10]
  const items = Array.from({ length: limit }, (_, n) => arenaItem(first + ((page - 1) * limit + n) * step))
  return json(`/crud/items?category=${category}&page=${page}&limit=${limit}`, { items, total: limit, page, limit })
}

function json(path: string, body: unknown): Expected {
  return { request: { path }, mediaType: 'application/json', body: JSON.stringify(body), coding: 'none' }
}

function change(
  id: number,
  name = `Item ${id}`,
  price = arenaItem(id).price,
  quantity = arenaItem(id).quantity,
): LoadRequest {
  const body = JSON.stringify({ name, price, quantity })
  return { path: `/crud/items/${id}`, method: 'PUT', headers: JSON_FIELDS, body }
}

function upsert(id: number, name = 'New Product'): LoadRequest {
  const body = JSON.stringify({ id, name, category: 'bench', price: 5, quantity: 6 })
  return { path: '/crud/items', headers: JSON_FIELDS, body }
}

/** wrk cannot close a connection after so many requests, so each so-manieth asks the server to. */
function closing(requests: readonly LoadRequest[], each: number): readonly LoadRequest[] {
  return requests.map((request, n) =>
    n % each === each - 1 ? { ...request, headers: { ...request.headers, Connection: 'close' } } : request,
  )
}

function drawn(below: number): number {
  return Math.floor(Math.random() * below)
}
