// What the tier in Redis does when Redis is not there, is slow, forgets, is full, or holds what is not ours. Nothing of it fails or hangs a claim.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { Invalidation, SecondTier } from '../../../src/cache/second-tier.ts'
import { RedisTier } from '../../../src/data/redis/cache-tier.ts'
import { resolveOptions, type RedisOptions } from '../../../src/data/redis/options.ts'
import { text, value, yours } from '../../cache/second-tier-cases.ts'
import { FaultProxy } from '../support/fault-proxy.ts'
import { freePort, RedisServer, withoutRedis } from '../support/redis.ts'
import { WatchedRedis } from '../support/redis-groups.ts'
import { eventually } from '../support/server.ts'

/** What a claim may take when Redis is away: the bound, and a machine that has other tests to run; less than tiers wait whose bound is long. */
const AWAY_WITHIN_MS = 100 + 1_900
const PREFIX = 'faults'

/** With other tags, and true to its own sum: what somebody else has written, or another release of ours. */
function resealed(sealed: Buffer, tags: Buffer): Buffer {
  const body = 35 + sealed.readUInt16BE(33) * 4
  const rest = sealed.subarray(body + 8 + sealed.readUInt32BE(body + 4))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(tags.length)
  const summed = Buffer.concat([length, tags, rest])
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(summed))
  return Buffer.concat([sealed.subarray(0, body), sum, summed])
}

describe('the cache while Redis has a fault', { skip: withoutRedis }, () => {
  let server: RedisServer
  let proxy: FaultProxy
  const closing: (() => Promise<unknown>)[] = []

  beforeEach(async () => {
    server = await RedisServer.start()
    proxy = await FaultProxy.start({ host: '127.0.0.1', port: server.port })
  })
  afterEach(async () => {
    await Promise.all(closing.splice(0).map(close => close()))
    await proxy.close()
    await server.stop()
  })

  /** A tier of a process of its own. Its bound is long, but where it is what is tested: a busy machine is no fault of Redis. */
  async function open(where: string | RedisOptions = `redis://127.0.0.1:${proxy.port}`): Promise<RedisTier> {
    const target = typeof where === 'string' ? { url: where } : where
    const options = resolveOptions({ commandTimeout: '3s', start: 'degraded', ...target })
    const tier = new RedisTier(options, { prefix: PREFIX, maxValueBytes: 4096 }, { warn: () => {} })
    closing.push(() => tier.close())
    await tier.open()
    return tier
  }

  async function openReachable(where?: string | RedisOptions): Promise<RedisTier> {
    const tier = await open(where)
    await reachable(tier)
    return tier
  }

  function quick(): RedisOptions {
    return { url: `redis://127.0.0.1:${proxy.port}`, commandTimeout: '100ms' }
  }

  async function reachable(tier: RedisTier): Promise<void> {
    await eventually(async () => ((await tier.reachableWithin(100)) ? true : undefined))
  }

  /** How often first tiers were told to forget everything, and what else they were told. */
  function listen(tier: SecondTier): { lost: number; readonly told: Invalidation[] } {
    const heard = { lost: 0, told: [] as Invalidation[] }
    tier.listen({ invalidated: what => void heard.told.push(what), lost: () => void heard.lost++ })
    return heard
  }

  async function keep(tier: SecondTier, key: string, content: string, tags: readonly string[] = []): Promise<void> {
    // One that times out on a busy machine is no fault of what is tested.
    await eventually(async () => {
      const claim = await tier.claim('cache', key)
      return claim.state === 'yours' && (await claim.lease.fulfil(value(content, { tags }))) ? true : undefined
    })
  }

  test('Redis down at the start: every claim is told so at once, and the tier is used as soon as Redis is there', async () => {
    const port = await freePort()
    const tier = await open(`redis://127.0.0.1:${port}`)
    const startedMs = performance.now()
    for (let n = 0; n < 100; n++) assert.deepEqual(await tier.claim('cache', 'key'), { state: 'alone' })
    assert.ok(performance.now() - startedMs < AWAY_WITHIN_MS)
    assert.equal(tier.stats.alone, 100)
    await tier.invalidate({ tags: ['while away'] })
    const late = await RedisServer.start([], port)
    closing.push(() => late.stop())
    await reachable(tier)
    await keep(tier, 'key', 'there')
    assert.equal(text(await tier.claim('cache', 'key')), 'there')
  })

  test('Redis killed: claims on their way and new ones are told so, who waits is let go, first tiers are emptied; all is well after a restart', async () => {
    const [one, other] = await Promise.all([openReachable(), openReachable()])
    const heard = listen(other)
    const lease = yours(await one.claim('cache', 'held'))
    const waiting = other.claim('cache', 'held')
    await eventually(() => (other.stats.waited === 1 ? true : undefined))
    const startedMs = performance.now()
    await server.kill()
    assert.deepEqual(await waiting, { state: 'alone' })
    assert.equal(await lease.fulfil(value('too late')), false)
    for (const tier of [one, other]) assert.deepEqual(await tier.claim('cache', 'other'), { state: 'alone' })
    assert.ok(performance.now() - startedMs < AWAY_WITHIN_MS)
    await eventually(() => (heard.lost > 0 ? true : undefined))
    assert.equal(other.stats.losses, 1)
    await server.start()
    await Promise.all([reachable(one), reachable(other)])
    await keep(one, 'held', 'again')
    assert.equal(text(await other.claim('cache', 'held')), 'again')
  })

  test('Redis that does not answer: a claim is told so within the bound, the next ones at once', async () => {
    const tier = await openReachable(quick())
    await keep(tier, 'key', 'here')
    proxy.hold()
    const first = performance.now()
    assert.deepEqual(await tier.claim('cache', 'key'), { state: 'alone' })
    assert.ok(performance.now() - first < AWAY_WITHIN_MS)
    const next = performance.now()
    for (let n = 0; n < 1000; n++) assert.equal((await tier.claim('cache', 'key')).state, 'alone')
    assert.ok(performance.now() - next < AWAY_WITHIN_MS)
    proxy.heal()
    await reachable(tier)
    assert.equal(text(await tier.claim('cache', 'key')), 'here')
  })

  test('Redis a second away: the tier is left alone, and used again when it is quick', async () => {
    const tier = await openReachable(quick())
    await keep(tier, 'key', 'here')
    proxy.slow({ latencyMs: 500 })
    const first = performance.now()
    assert.deepEqual(await tier.claim('cache', 'key'), { state: 'alone' })
    assert.ok(performance.now() - first < AWAY_WITHIN_MS)
    // Answers come, a second late: none of them makes it look healthy.
    await new Promise(resolve => setTimeout(resolve, 2_000))
    assert.equal(tier.isReachable, false)
    proxy.heal()
    await reachable(tier)
    assert.equal(text(await tier.claim('cache', 'key')), 'here')
  })

  test('values that trickle in, cut anywhere, are whole', async () => {
    const tier = await openReachable({ url: `redis://127.0.0.1:${proxy.port}`, commandTimeout: '10s' })
    const content = Array.from({ length: 150 }, (_, n) => `line ${n}\r\n$-1\r\n`).join('')
    await keep(tier, 'key', content)
    proxy.slow({ trickle: { bytes: 97, everyMs: 1 } })
    assert.equal(text(await tier.claim('cache', 'key')), content)
  })

  test('a process that hears nothing distrusts its first tier within the bound, and again when it hears', async () => {
    const tier = await openReachable()
    const heard = listen(tier)
    const before = heard.lost
    proxy.hold()
    await eventually(() => (heard.lost > before ? true : undefined))
    assert.equal(tier.isReachable, false)
    proxy.heal()
    await reachable(tier)
    assert.ok(heard.lost >= before + 2, 'what was missed meanwhile is distrusted too')
  })

  test('a loop that was blocked for longer than the bound is seen by the next look-up', async () => {
    const tier = await openReachable()
    const heard = listen(tier)
    const nowMs = performance.now()
    tier.checkPulse(nowMs + 500)
    assert.equal(heard.lost, 0)
    tier.checkPulse(nowMs + 1_100)
    assert.equal(heard.lost, 1)
    tier.checkPulse(nowMs + 1_200)
    assert.equal(heard.lost, 1)
    await reachable(tier)
  })

  test('what was invalidated while Redis was away is not found when it is back', async () => {
    const [one, other] = await Promise.all([openReachable(), openReachable(server.url)])
    await keep(one, 'a', 'old', ['price'])
    await keep(one, 'b', 'old')
    await keep(one, 'c', 'old', ['stock'])
    const heard = listen(other)
    // Only the first of the two loses it.
    proxy.cut()
    await eventually(() => (one.isReachable ? undefined : true))
    await one.invalidate({ tags: ['price'] })
    await one.invalidate({ name: 'cache', key: 'b' })
    one.remember({ tags: ['stock'] })
    proxy.heal()
    await reachable(one)
    for (const key of ['a', 'b', 'c']) {
      const claim = await one.claim('cache', key)
      await yours(claim).abandon()
    }
    assert.ok(heard.told.some(what => 'tags' in what && what.tags.includes('price') && what.tags.includes('stock')))
    assert.ok(heard.told.some(what => 'key' in what && what.key === 'b'))
  })

  test('more invalidations than are worth remembering forget everything', async () => {
    const tier = await openReachable()
    await keep(tier, 'key', 'old', ['untouched'])
    proxy.cut()
    await eventually(() => (tier.isReachable ? undefined : true))
    for (let n = 0; n <= 10_000; n++) await tier.invalidate({ tags: [`tag${n}`] })
    proxy.heal()
    await reachable(tier)
    yours(await tier.claim('cache', 'key'))
  })

  test('Redis flushed: nothing is found, loads from before are not kept, first tiers are emptied', async () => {
    const tier = await openReachable(server.url)
    await keep(tier, 'key', 'old')
    const lease = yours(await tier.claim('cache', 'loading'))
    const heard = listen(tier)
    assert.equal(await server.command('FLUSHALL'), '+OK')
    // Who loaded before the flush cannot know what was invalidated since: the fence is gone.
    assert.equal(await lease.fulfil(value('from before')), false)
    await yours(await tier.claim('cache', 'key')).fulfil(value('new'))
    assert.equal(text(await tier.claim('cache', 'key')), 'new')
    await eventually(() => (heard.lost > 0 ? true : undefined))
  })

  test('the fence evicted, or another thing in its place: what was stored under it is not found', async () => {
    const tier = await openReachable(server.url)
    for (const spoil of [['DEL'], ['SET', 'short'], ['LPUSH', 'x']] as const) {
      await keep(tier, `key ${spoil[0]}`, 'old')
      const [command, ...words] = spoil
      await server.command('DEL', `${PREFIX}:{0}:fence`)
      await server.command(command, `${PREFIX}:{0}:fence`, ...words)
      yours(await tier.claim('cache', `key ${spoil[0]}`))
    }
  })

  test('a restart from an older snapshot brings back nothing', async () => {
    const tier = await openReachable()
    await keep(tier, 'key', 'old', ['price'])
    assert.equal(await server.command('SAVE'), '+OK')
    await tier.invalidate({ tags: ['price'] })
    await server.kill()
    await server.start()
    // The server knows the value, and nothing of the invalidation.
    assert.equal(await server.command('EXISTS', `${PREFIX}:{0}:v:cache:key`), ':1')
    await reachable(tier)
    yours(await tier.claim('cache', 'key'))
  })

  test('a replica takes over: what it may not have heard of is forgotten, and the tier goes on with it', async () => {
    const watched = await WatchedRedis.start()
    closing.push(() => watched.stop())
    const tier = await openReachable({ sentinel: { name: 'shop', nodes: [watched.url] }, commandTimeout: '1s' })
    await keep(tier, 'key', 'old', ['price'])
    const at = `${PREFIX}:{0}:v:cache:key`
    await eventually(async () => ((await watched.replica.command('EXISTS', at)) === ':1' ? true : undefined))
    const heard = listen(tier)
    await watched.primary.kill()
    await eventually(() => (tier.isReachable ? undefined : true))
    await eventually(async () => ((await tier.reachableWithin(100)) ? true : undefined), 60_000)
    assert.equal(await watched.replica.command('EXISTS', at), ':1')
    yours(await tier.claim('cache', 'key'))
    assert.ok(heard.lost > 0)
  })

  test('Redis full: values are not kept, and an invalidation is not lost', async () => {
    const tier = await openReachable(server.url)
    await keep(tier, 'key', 'old', ['price'])
    await keep(tier, 'other', 'kept', ['another'])
    assert.equal(await server.command('CONFIG', 'SET', 'maxmemory', '1'), '+OK')
    // What is there is found; what is not is loaded by each process for itself.
    assert.equal(text(await tier.claim('cache', 'key')), 'old')
    assert.equal((await tier.claim('cache', 'new')).state, 'alone')
    await tier.invalidate({ tags: ['price'] })
    const after = await tier.claim('cache', 'key')
    assert.notEqual(after.state, 'found')
    if (after.state === 'yours') assert.equal(await after.lease.fulfil(value('no room')), false)
    assert.equal(await server.command('CONFIG', 'SET', 'maxmemory', '0'), '+OK')
    await reachable(tier)
    await keep(tier, 'key', 'new')
    assert.equal(text(await tier.claim('cache', 'key')), 'new')
  })

  test('poisoned values are misses, counted and deleted', async () => {
    const tier = await openReachable(server.url)
    await keep(tier, 'key', 'good')
    const at = `${PREFIX}:{0}:v:cache:key`
    const whole = await server.bytes('GET', at)
    const torn = Buffer.from(whole.subarray(0, whole.length - 1))
    const flipped = Buffer.from(whole)
    flipped[flipped.length - 1]! ^= 1
    const otherVersion = Buffer.from(whole)
    otherVersion[2]! ^= 0xff
    const cutInside = Buffer.from(whole.subarray(0, 36))
    let expected = 0
    const tagless = resealed(whole, Buffer.from('{'))
    const oddTags = resealed(whole, Buffer.from('"t"'))
    const poisons = [
      torn,
      flipped,
      otherVersion,
      cutInside,
      tagless,
      oddTags,
      Buffer.from('not ours'),
      Buffer.from('M'),
    ]
    for (const poison of poisons) {
      await server.bytes('SET', at, poison, 'PX', '60000')
      const lease = yours(await tier.claim('cache', 'key'))
      assert.equal(tier.stats.poisoned, ++expected)
      assert.equal(await server.command('EXISTS', at), ':0')
      await lease.fulfil(value('good'))
      assert.equal(text(await tier.claim('cache', 'key')), 'good')
    }
    // Of another type; and one that never expires, which we would not have written.
    await server.command('DEL', at)
    await server.command('LPUSH', at, 'x')
    await yours(await tier.claim('cache', 'key')).fulfil(value('good'))
    await server.command('PERSIST', at)
    yours(await tier.claim('cache', 'key'))
    assert.equal(tier.stats.poisoned, expected + 2)
  })

  test('a lease of another type is nobody’s', async () => {
    const tier = await openReachable(server.url)
    await server.command('LPUSH', `${PREFIX}:{0}:l:cache:key`, 'x')
    await server.command('LPUSH', `${PREFIX}:{0}:p:cache:key`, 'x')
    await yours(await tier.claim('cache', 'key')).fulfil(value('good'))
    assert.equal(text(await tier.claim('cache', 'key')), 'good')
  })

  test('the holder of a lease dies: another loads when the lease has run out, and nothing is taken from the one who was late', async () => {
    const [one, other] = await Promise.all([openReachable(), openReachable(server.url)])
    const late = yours(await one.claim('cache', 'key'))
    const waiting = other.claim('cache', 'key')
    // As if its process were gone: it can neither renew its lease nor end it.
    proxy.hold()
    const startedMs = performance.now()
    const next = yours(await waiting)
    const waitedMs = performance.now() - startedMs
    assert.ok(waitedMs > 1_000 && waitedMs < 15_000, `it waited ${waitedMs} ms`)
    proxy.heal()
    await reachable(one)
    assert.equal(await late.fulfil(value('late')), false)
    assert.equal(await next.fulfil(value('in time')), true)
    assert.equal(text(await one.claim('cache', 'key')), 'in time')
  })

  test('a lease that nobody waited for any more, or whose end was lost, is given back as soon as Redis answers', async () => {
    const impatient = await openReachable({ ...quick(), url: server.url })
    const patient = await openReachable({ url: server.url, commandTimeout: '10s' })
    // Its bound is short for a busy machine.
    const ending = await eventually(async () => {
      const claim = await impatient.claim('cache', 'ending')
      return claim.state === 'yours' ? claim.lease : undefined
    })
    server.pause()
    // Redis gets the claim and the end, and runs them when it goes on.
    assert.deepEqual(await impatient.claim('cache', 'claimed'), { state: 'alone' })
    assert.equal(await ending.fulfil(value('lost')), false)
    server.resume()
    const startedMs = performance.now()
    for (const key of ['claimed', 'ending']) {
      const claim = await patient.claim('cache', key)
      if (claim.state === 'yours') await claim.lease.abandon()
    }
    const waitedMs = performance.now() - startedMs
    assert.ok(waitedMs < 3_000, `it waited ${waitedMs} ms for nobody`)
  })

  test('the end of a lease that was lost with its connection is said again', async () => {
    const [one, other] = await Promise.all([openReachable(), openReachable(server.url)])
    const lease = yours(await one.claim('cache', 'key'))
    proxy.cut()
    await eventually(() => (one.isReachable ? undefined : true))
    await lease.abandon()
    proxy.heal()
    await reachable(one)
    const startedMs = performance.now()
    await yours(await other.claim('cache', 'key')).abandon()
    const waitedMs = performance.now() - startedMs
    assert.ok(waitedMs < 2_000, `it waited ${waitedMs} ms for nobody`)
  })

  test('what no clock can count is kept all the same', async () => {
    const tier = await openReachable(server.url)
    const forEver = { freshForMs: Number.MAX_VALUE, staleForMs: Number.MAX_VALUE }
    assert.equal(await yours(await tier.claim('cache', 'key')).fulfil(value('always', forEver)), true)
    const claim = await tier.claim('cache', 'key')
    assert.equal(claim.state, 'found')
    assert.equal(text(claim), 'always')
  })

  test('the holder of a lease that lives keeps it for longer than a lease lasts', async () => {
    const [one, other] = await Promise.all([openReachable(), openReachable()])
    const lease = yours(await one.claim('cache', 'key'))
    const waiting = other.claim('cache', 'key')
    await new Promise(resolve => setTimeout(resolve, 6_500))
    assert.equal(await lease.fulfil(value('slow, and there')), true)
    assert.equal(text(await waiting), 'slow, and there')
  })

  test('a process that closes gives back what it holds', async () => {
    const [one, other] = await Promise.all([openReachable(), openReachable()])
    yours(await one.claim('cache', 'key'))
    const waiting = other.claim('cache', 'key')
    await eventually(() => (other.stats.waited === 1 ? true : undefined))
    const startedMs = performance.now()
    await one.close()
    yours(await waiting)
    assert.ok(performance.now() - startedMs < 4_000, 'it was not told')
  })

  test('an invalidation waits for no process that is gone, and for one that is silent a second', async () => {
    const [one, other] = await Promise.all([openReachable(server.url), openReachable()])
    const heard = listen(other)
    await one.invalidate({ tags: ['quick'] })
    assert.ok(heard.told.some(what => 'tags' in what && what.tags[0] === 'quick'))
    const lostBefore = heard.lost
    proxy.hold()
    const startedMs = performance.now()
    await one.invalidate({ tags: ['slow'] })
    assert.ok(performance.now() - startedMs >= 950)
    // By then it distrusts what it has, without having been told.
    other.checkPulse()
    assert.ok(heard.lost > lostBefore)
    proxy.cut()
    await eventually(() => (other.isReachable ? undefined : true))
    const goneMs = performance.now()
    await one.invalidate({ tags: ['gone'] })
    assert.ok(performance.now() - goneMs < 900)
  })

  test('two hosts invalidating at once: no value from before is found by either', async () => {
    const [one, other] = await Promise.all([openReachable(), openReachable()])
    for (let round = 0; round < 50; round++) {
      await keep(round % 2 ? one : other, 'key', `old ${round}`, ['price'])
      const lease = yours(await one.claim('cache', `loading ${round}`))
      await Promise.all([one.invalidate({ tags: ['price'] }), other.invalidate({ tags: ['price', 'stock'] })])
      assert.equal(await lease.fulfil(value('old', { tags: ['stock'] })), false)
      for (const tier of [one, other]) {
        const claim = await tier.claim('cache', 'key')
        assert.notEqual(claim.state, 'found')
        if (claim.state === 'yours') await claim.lease.abandon()
      }
    }
  })

  test('scripts that the server has forgotten are sent again', async () => {
    const tier = await openReachable(server.url)
    assert.equal(await server.command('SCRIPT', 'FLUSH'), '+OK')
    await keep(tier, 'key', 'good')
    assert.equal(text(await tier.claim('cache', 'key')), 'good')
  })

  test('what is stored holds no time of any clock: the same value is the same bytes whenever it is written', async () => {
    const tier = await openReachable(server.url)
    await keep(tier, 'key', 'same')
    const first = await server.bytes('GET', `${PREFIX}:{0}:v:cache:key`)
    await server.command('DEL', `${PREFIX}:{0}:v:cache:key`)
    await new Promise(resolve => setTimeout(resolve, 20))
    await keep(tier, 'key', 'same')
    const second = await server.bytes('GET', `${PREFIX}:{0}:v:cache:key`)
    const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
    assert.equal(digest(first), digest(second))
  })
})
