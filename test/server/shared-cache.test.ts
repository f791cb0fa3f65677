// The second tier over the supervisor: the cases of every tier, and what only it can meet: workers that die or fall silent, and a supervisor
// that does not answer.
import { describe, test, type TestContext } from 'node:test'
import assert from 'node:assert/strict'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { Cache } from '../../src/cache/cache.ts'
import type { Claim } from '../../src/cache/second-tier.ts'
import { MAX_VALUE_BYTES } from '../../src/server/shared-cache.ts'
import { secondTierCases, text, value, yours } from '../cache/second-tier-cases.ts'
import { supervised } from './support/supervised.ts'

secondTierCases('the tier over the supervisor', async () => {
  const of = supervised(2)
  const [one, other] = of.members.map(({ tier }) => tier)
  return { one: one!, other: other!, maxValueBytes: MAX_VALUE_BYTES, close: async () => of.stop() }
})

const minute = { ttl: '1m', tags: ['t'] } as const

async function turns(count = 10): Promise<void> {
  for (let n = 0; n < count; n++) await turn()
}

function workers(
  context: TestContext,
  count: number,
  ...options: [Parameters<typeof supervised>[1]?, Parameters<typeof supervised>[2]?]
) {
  const of = supervised(count, ...options)
  context.after(() => of.stop())
  return { of, members: of.members, caches: of.members.map(({ bus }) => new Cache({ random: () => 0 }, bus)) }
}

describe('workers under one supervisor', () => {
  test('turn 10,000 concurrent misses into one load, and later misses into none', async context => {
    const { caches } = workers(context, 4)
    let loads = 0
    const load = async () => {
      loads++
      await sleep(30)
      return { name: 'value' }
    }
    const asked = Array.from({ length: 10_000 }, (_, n) => caches[n % 4]!.get('k', load, minute))
    for (const found of await Promise.all(asked)) assert.deepEqual(found, { name: 'value' })
    assert.equal(loads, 1)
    await caches[0]!.get('l', () => 'once', minute)
    await turns()
    assert.equal(await caches[3]!.get('l', () => assert.fail('loaded again'), minute), 'once')
  })

  test('pass the lease of one that dies on to one who waits', async context => {
    const { of, members, caches } = workers(context, 3)
    const { promise: never } = Promise.withResolvers<string>()
    void caches[0]!.get('k', () => never, minute).catch(() => {})
    await turns()
    const waiting = [1, 2].map(n => caches[n]!.get('k', () => `from ${n}`, minute))
    await turns()
    of.kill(members[0]!)
    assert.deepEqual(await Promise.all(waiting), ['from 1', 'from 1'])
  })

  test('pass the lease of one that is blocked on, and take nothing from it when it comes back', async context => {
    const { of, members, caches } = workers(context, 2)
    const { promise, resolve } = Promise.withResolvers<string>()
    const late = caches[0]!.get('k', () => promise, minute)
    await turns()
    const waiting = caches[1]!.get('k', () => 'in time', minute)
    await turns()
    members[0]!.silentTicks = 3
    of.cache.watch()
    assert.equal(await waiting, 'in time')
    resolve('late')
    assert.equal(await late, 'late')
    await turns()
    assert.equal(members[0]!.tier.stats.fenced, 1)
    const { state, ...claim } = await members[1]!.tier.claim('default', 'k')
    assert.equal(state, 'found')
    assert.match(text({ state, ...claim } as Claim), /in time/)
  })

  test('load for themselves while the supervisor does not answer, at once after the first time', async context => {
    let nowMs = 0
    const { of, members, caches } = workers(context, 2, { now: () => nowMs })
    const { tier } = members[0]!
    context.mock.timers.enable({ apis: ['setTimeout'] })
    of.answers = false
    const first = caches[0]!.get('a', () => 'a', minute)
    await turns()
    nowMs = 1_000
    context.mock.timers.tick(nowMs)
    assert.equal(await first, 'a')
    assert.deepEqual([tier.isReachable, tier.stats.losses, tier.stats.alone], [false, 1, 1])
    for (const key of ['b', 'c', 'd']) assert.equal(await caches[0]!.get(key, () => key, minute), key)
    assert.equal(tier.stats.alone, 1)
    of.answers = true
    nowMs = 11_000
    assert.equal(tier.isReachable, true)
    assert.equal(await caches[0]!.get('e', () => 'e', minute), 'e')
    assert.equal(tier.stats.missed, 1)
  })

  test('stop waiting for a sibling when the supervisor stops saying that it loads', async context => {
    context.mock.timers.enable({ apis: ['setTimeout'] })
    const { of, members, caches } = workers(context, 2)
    const { promise: never } = Promise.withResolvers<string>()
    void caches[0]!.get('k', () => never, minute).catch(() => {})
    await turns()
    const waiting = caches[1]!.get('k', () => 'mine', minute)
    await turns()
    for (let second = 0; second < 10; second++) {
      context.mock.timers.tick(1_000)
      of.cache.watch()
      await turns()
    }
    assert.equal(members[1]!.tier.stats.alone, 0)
    of.answers = false
    context.mock.timers.tick(3_000)
    assert.equal(await waiting, 'mine')
  })

  test('give back a lease that comes when nobody wants it any more', async context => {
    const { members } = workers(context, 2)
    const [one, other] = members.map(({ tier }) => tier)
    const lease = yours(await one!.claim('cache', 'k'))
    const leaving = new AbortController()
    const gone = other!.claim('cache', 'k', { signal: leaving.signal })
    await turns()
    // Its answer is on its way as the caller goes.
    void lease.abandon()
    await turn()
    await turn()
    leaving.abort(new Error('gone'))
    await gone.catch(() => {})
    await turns()
    yours(await one!.claim('cache', 'k'))
  })

  test('share nothing across a reload, and forget for both', async context => {
    const { members } = workers(context, 4, {}, worker => (worker <= 2 ? 0 : 1))
    const [oldOne, oldOther, newOne, newOther] = members.map(({ tier }) => tier)
    await yours(await oldOne!.claim('cache', 'k')).fulfil(value('old shape'))
    await yours(await newOne!.claim('cache', 'k')).fulfil(value('new shape'))
    assert.equal(text(await oldOther!.claim('cache', 'k')), 'old shape')
    assert.equal(text(await newOther!.claim('cache', 'k')), 'new shape')
    await newOne!.invalidate({ name: 'cache', key: 'k' })
    yours(await oldOther!.claim('cache', 'k'))
    yours(await newOther!.claim('cache', 'k'))
  })

  test('do not fill the supervisor with what one of them does not read', async context => {
    const { members } = workers(context, 2)
    const [one, other] = members.map(({ tier }) => tier)
    const large = new Uint8Array(MAX_VALUE_BYTES)
    for (let n = 0; n < 200; n++) await yours(await one!.claim('cache', `${n}`)).fulfil({ ...value(''), bytes: large })
    members[1]!.isDeaf = true
    const claims: Promise<Claim>[] = []
    for (let n = 0; n < 200; n++) {
      claims.push(other!.claim('cache', `${n}`))
      await turns(2) // a message each
    }
    members[1]!.isDeaf = false
    for (const deliver of members[1]!.unread.splice(0)) deliver()
    const states = (await Promise.all(claims)).map(({ state }) => state)
    assert.ok(states.includes('alone'), 'nothing was held back')
    assert.ok(states.every(state => state === 'alone' || state === 'found'))
  })

  test('of one worker: asks nobody', async context => {
    const { members, caches } = workers(context, 1)
    assert.equal(await caches[0]!.get('k', () => 1, minute), 1)
    assert.deepEqual([members[0]!.tier.isReachable, members[0]!.tier.stats.missed], [false, 0])
  })
})

test('an invalidation at random during loads in four workers is never undone', { timeout: 600_000 }, async context => {
  const rounds = Number(process.env['ROUNDS'] ?? 300)
  const { caches } = workers(context, 4)
  let stored = 0
  let floor = 0
  let isOver = false
  const failures: string[] = []
  const load = async () => {
    const version = stored
    if (Math.random() < 0.5) await sleep(Math.random() * 3)
    else await turns(Math.random() * 4)
    return version
  }
  const policy = { ttl: '1m', staleFor: '1m', tags: ['k'] } as const
  const readers = caches.map(async (cache, n) => {
    while (!isOver) {
      const atLeast = floor
      const found = await cache.get('k', load, n % 2 ? () => policy : policy)
      if (found < atLeast && failures.length < 5)
        failures.push(`worker ${n + 1} got ${found} when ${atLeast} was current`)
      await turn()
    }
  })
  let hits = 0
  for (let round = 0; round < rounds; round++) {
    // Sometimes all have it by then, sometimes it is being loaded.
    await turns(Math.random() * 100)
    const version = ++stored
    const writer = caches[round % 4]!
    await (Math.random() < 0.5 ? writer.invalidate('k') : writer.delete('k'))
    floor = version
    hits = caches.reduce((sum, { stats }) => sum + stats.hits + stats.shared, 0)
  }
  isOver = true
  await Promise.all(readers)
  assert.deepEqual(failures, [])
  assert.ok(hits > rounds / 2, 'hardly anything was cached: this shows nothing')
})
