// What every second tier does, whoever keeps the values: one list of cases, run against each implementation over two of its members.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { Claim, Invalidation, Lease, SecondTier, TierValue } from '../../src/cache/second-tier.ts'

export interface TierPair {
  /** Two processes' ends of one tier. */
  readonly one: SecondTier
  readonly other: SecondTier
  /** What a value may measure at most. */
  readonly maxValueBytes: number
  close(): Promise<void>
}

const MINUTE_MS = 60_000

/** @param open  a tier in which nothing is kept yet */
export function secondTierCases(name: string, open: () => Promise<TierPair>): void {
  describe(name, () => {
    let one: SecondTier
    let other: SecondTier
    let pair: TierPair
    beforeEach(async () => {
      pair = await open()
      ;({ one, other } = pair)
    })
    afterEach(() => pair.close())

    test('gives the lease to the first who misses, and its value to everybody', async () => {
      const lease = yours(await one.claim('cache', 'key'))
      assert.equal(await lease.fulfil(value('hello', { tags: ['a', 'b'] })), true)
      for (const tier of [one, other]) {
        const claim = await tier.claim('cache', 'key')
        assert.equal(claim.state, 'found')
        assert.equal(text(claim), 'hello')
        assert.ok(claim.state === 'found')
        assert.deepEqual(claim.value.tags, ['a', 'b'])
        assert.ok(claim.value.freshForMs > MINUTE_MS - 10_000 && claim.value.freshForMs <= MINUTE_MS)
      }
      assert.equal(one.stats.missed, 1)
      assert.equal(one.stats.stored, 1)
      assert.equal(other.stats.found, 1)
    })

    test('keeps bytes as they are', async () => {
      const bytes = Uint8Array.from({ length: 2048 }, (_, n) => n & 255)
      await yours(await one.claim('cache', 'key')).fulfil({ ...value(''), bytes })
      const claim = await other.claim('cache', 'key')
      assert.ok(claim.state === 'found')
      assert.deepEqual(Uint8Array.from(claim.value.bytes), bytes)
    })

    test('tells caches and keys apart, whatever they are called', async () => {
      await yours(await one.claim('a', 'b:c')).fulfil(value('first'))
      await yours(await other.claim('a:b', 'c')).fulfil(value('second'))
      await yours(await other.claim('ab', ':c')).fulfil(value('third'))
      assert.equal(text(await other.claim('a', 'b:c')), 'first')
      assert.equal(text(await one.claim('a:b', 'c')), 'second')
      assert.equal(text(await one.claim('ab', ':c')), 'third')
      const odd = 'Grüße \0 {x} \n * ? ' + 'k'.repeat(5000)
      await yours(await one.claim('näme {1}', odd)).fulfil(value('odd'))
      assert.equal(text(await other.claim('näme {1}', odd)), 'odd')
      // Halves of a pair, which UTF-8 cannot tell from one another, and what it writes for them.
      const halves = ['\ud800', '\udc00', '\ufffd']
      for (const half of halves) await yours(await one.claim('cache', half)).fulfil(value(JSON.stringify(half)))
      for (const half of halves) assert.equal(text(await other.claim('cache', half)), JSON.stringify(half))
    })

    test('lets others wait for the load of one, however many they are', async () => {
      const lease = yours(await one.claim('cache', 'key'))
      const waiting = Array.from({ length: 20 }, (_, n) => (n % 2 ? one : other).claim('cache', 'key'))
      assert.equal(await settlesWithin(waiting[0]!, 50), false)
      await lease.fulfil(value('at last'))
      for (const claim of await Promise.all(waiting)) assert.equal(text(claim), 'at last')
      assert.equal(one.stats.waited + other.stats.waited, 20)
      assert.equal(one.stats.missed + other.stats.missed, 1)
    })

    test('gives the lease to one of those who wait when it is abandoned', async () => {
      const lease = yours(await one.claim('cache', 'key'))
      const waiting = [other.claim('cache', 'key'), other.claim('cache', 'key')]
      assert.equal(await settlesWithin(waiting[0]!, 30), false)
      await lease.abandon()
      const first = await Promise.race(waiting)
      yours(first)
      await yours(first).fulfil(value('second try'))
      const states = (await Promise.all(waiting)).map(({ state }) => state).sort()
      assert.deepEqual(states, ['found', 'yours'])
    })

    test('tells of a failure until its pause is over, and who waited too', async () => {
      const lease = yours(await one.claim('cache', 'key'))
      const waiting = other.claim('cache', 'key')
      assert.equal(await settlesWithin(waiting, 30), false)
      await lease.abandon({ message: 'the source is down', retryInMs: 300 })
      for (const claim of [await waiting, await one.claim('cache', 'key'), await other.claim('cache', 'key')]) {
        assert.ok(claim.state === 'failed', claim.state)
        assert.equal(claim.message, 'the source is down')
        assert.ok(claim.retryInMs > 0 && claim.retryInMs <= 300)
      }
      await new Promise(resolve => setTimeout(resolve, 310))
      yours(await other.claim('cache', 'key'))
    })

    test('serves stale to everybody while one of them loads', async () => {
      await yours(await one.claim('cache', 'key')).fulfil(value('old', { freshForMs: 40, staleForMs: MINUTE_MS }))
      await new Promise(resolve => setTimeout(resolve, 60))
      const first = await other.claim('cache', 'key')
      assert.ok(first.state === 'stale', first.state)
      assert.equal(text(first), 'old')
      assert.equal(first.value.freshForMs, 0)
      assert.ok(first.value.staleForMs > 0 && first.value.staleForMs < MINUTE_MS)
      const second = await one.claim('cache', 'key')
      assert.ok(second.state === 'stale')
      assert.equal(text(second), 'old')
      assert.equal(second.lease, undefined)
      await first.lease!.fulfil(value('new'))
      assert.equal(text(await one.claim('cache', 'key')), 'new')
    })

    test('gives no lease for a stale value while its source is left alone', async () => {
      await yours(await one.claim('cache', 'key')).fulfil(value('old', { freshForMs: 20, staleForMs: MINUTE_MS }))
      await new Promise(resolve => setTimeout(resolve, 40))
      const first = await other.claim('cache', 'key')
      assert.ok(first.state === 'stale')
      await first.lease!.abandon({ message: 'down', retryInMs: MINUTE_MS })
      for (const tier of [one, other]) {
        const claim = await tier.claim('cache', 'key')
        assert.ok(claim.state === 'stale')
        assert.equal(claim.lease, undefined)
      }
    })

    test('takes a value that is not fresh enough for stale', async () => {
      await yours(await one.claim('cache', 'key')).fulfil(value('short', { freshForMs: 5_000, staleForMs: 0 }))
      const early = await other.claim('cache', 'key', { freshForMs: 30_000 })
      assert.ok(early.state === 'stale')
      assert.ok(early.lease)
      assert.ok(early.value.freshForMs > 0 && early.value.freshForMs <= 5_000)
      assert.equal((await one.claim('cache', 'key')).state, 'found')
      await early.lease.fulfil(value('long'))
      assert.equal(text(await one.claim('cache', 'key', { freshForMs: 30_000 })), 'long')
    })

    test('forgets a value when it is too old', async () => {
      await yours(await one.claim('cache', 'key')).fulfil(value('old', { freshForMs: 20, staleForMs: 20 }))
      await new Promise(resolve => setTimeout(resolve, 60))
      yours(await other.claim('cache', 'key'))
    })

    test('forgets by tag, in both, and tells both', async () => {
      const heard = listen()
      for (const key of ['1', '2', '3'])
        await yours(await one.claim('cache', key)).fulfil(
          value(key, { tags: [`tag${key}`, key < '3' ? 'low' : 'high'] }),
        )
      await other.invalidate({ tags: ['low'] })
      assert.deepEqual(
        heard.map(told => told.filter(what => 'tags' in what && what.tags[0] === 'low').length > 0),
        [true, true],
      )
      yours(await one.claim('cache', '1'))
      yours(await other.claim('cache', '2'))
      assert.equal(text(await one.claim('cache', '3')), '3')
      await one.invalidate({ tags: ['tag3', 'nobody has it'] })
      yours(await other.claim('cache', '3'))
    })

    test('forgets one key of the caches of a name', async () => {
      const heard = listen()
      for (const cache of ['a', 'b']) await yours(await one.claim(cache, 'key')).fulfil(value(cache))
      await one.invalidate({ name: 'a', key: 'key' })
      assert.ok(heard.every(told => told.some(what => 'key' in what && what.name === 'a' && what.key === 'key')))
      yours(await other.claim('a', 'key'))
      assert.equal(text(await other.claim('b', 'key')), 'b')
    })

    for (const [how, what] of [
      ['a tag', { tags: ['x', 'price'] }],
      ['its key', { name: 'cache', key: 'key' }],
    ] as const)
      test(`never keeps a value whose load began before ${how} was invalidated`, async () => {
        const lease = yours(await one.claim('cache', 'key'))
        const waiting = other.claim('cache', 'key')
        assert.equal(await settlesWithin(waiting, 20), false)
        await other.invalidate(what)
        assert.equal(await lease.fulfil(value('old', { tags: ['price'] })), false)
        const next = yours(await waiting)
        assert.equal(one.stats.fenced, 1)
        assert.equal(await next.fulfil(value('new', { tags: ['price'] })), true)
        assert.equal(text(await one.claim('cache', 'key')), 'new')
      })

    test('keeps a value when something else was invalidated during its load', async () => {
      const lease = yours(await one.claim('cache', 'key'))
      await other.invalidate({ tags: ['another'] })
      await other.invalidate({ name: 'cache', key: 'another' })
      assert.equal(await lease.fulfil(value('good', { tags: ['price'] })), true)
      assert.equal(text(await other.claim('cache', 'key')), 'good')
    })

    test('takes nothing from a lease that has ended', async () => {
      const lease = yours(await one.claim('cache', 'key'))
      await lease.abandon()
      const next = yours(await other.claim('cache', 'key'))
      assert.equal(await lease.fulfil(value('late')), false)
      await lease.abandon({ message: 'late', retryInMs: MINUTE_MS })
      assert.equal(await next.fulfil(value('in time')), true)
      assert.equal(text(await one.claim('cache', 'key')), 'in time')
    })

    test('lets whoever waits go when its signal aborts, and nobody else', async () => {
      const lease = yours(await one.claim('cache', 'key'))
      const leaving = new AbortController()
      const gone = other.claim('cache', 'key', { signal: leaving.signal })
      const staying = other.claim('cache', 'key')
      assert.equal(await settlesWithin(staying, 20), false)
      leaving.abort(new Error('the client left'))
      await assert.rejects(gone, /the client left/)
      await lease.fulfil(value('still here'))
      assert.equal(text(await staying), 'still here')
      await assert.rejects(one.claim('cache', 'key', { signal: leaving.signal }), /the client left/)
    })

    test('does not keep what is too large, nor let anyone wait for it', async () => {
      const lease = yours(await one.claim('cache', 'key'))
      const waiting = other.claim('cache', 'key')
      assert.equal(await settlesWithin(waiting, 20), false)
      const bytes = new Uint8Array(pair.maxValueBytes + 1)
      assert.equal(await lease.fulfil({ ...value(''), bytes }), false)
      assert.deepEqual(await waiting, { state: 'alone' })
      assert.deepEqual(await one.claim('cache', 'key'), { state: 'alone' })
      assert.equal(one.stats.tooLarge, 1)
      const exact = new Uint8Array(pair.maxValueBytes)
      assert.equal(await yours(await one.claim('cache', 'other')).fulfil({ ...value(''), bytes: exact }), true)
      assert.equal((await other.claim('cache', 'other')).state, 'found')
    })

    for (const [how, end] of [
      ['withdrawn', (lease: Lease) => lease.withdraw()],
      ['too large', (lease: Lease) => lease.fulfil({ ...value(''), bytes: new Uint8Array(pair.maxValueBytes + 1) })],
    ] as const)
      test(`serves nothing stale any more when what took its place is ${how}`, async () => {
        const stale = { freshForMs: 20, staleForMs: MINUTE_MS }
        await yours(await one.claim('cache', 'key')).fulfil(value('old', stale))
        await new Promise(resolve => setTimeout(resolve, 40))
        const first = await other.claim('cache', 'key')
        assert.ok(first.state === 'stale')
        await end(first.lease!)
        for (const tier of [one, other]) {
          const claim = await tier.claim('cache', 'key')
          assert.notEqual(claim.state, 'stale')
          if (claim.state === 'yours') await claim.lease.abandon()
        }
      })

    test('deletes what its reader cannot read', async () => {
      await yours(await one.claim('cache', 'key')).fulfil(value('no JSON'))
      await other.discard('cache', 'key')
      assert.equal(other.stats.poisoned, 1)
      yours(await one.claim('cache', 'key'))
    })

    test('invalidation and load at random: what was loaded before is never found after', async () => {
      // The source is a number; loads read it at their beginning and take their time.
      let source = 0
      let clashes = 0
      const load = async (tier: SecondTier, key: string): Promise<number> => {
        const claim = await tier.claim('cache', key)
        if (claim.state === 'found') return Number(text(claim))
        if (claim.state !== 'yours') return Infinity
        const read = source
        await new Promise(resolve => setTimeout(resolve, Math.random() * 3))
        if (!(await claim.lease.fulfil(value(String(read), { tags: ['counter'] })))) clashes++
        return Infinity // it may be old: whoever asked before the invalidation may get it
      }
      for (let round = 0; round < 100; round++) {
        // A key of its own: what the last round has left would be found, and nothing loaded.
        const key = `counter ${round}`
        const readers = [one, other, one, other].map(tier => load(tier, key))
        await new Promise(resolve => setTimeout(resolve, Math.random() * 3))
        source++
        const since = source
        await (round % 2 ? one : other).invalidate(round % 3 ? { tags: ['counter'] } : { name: 'cache', key })
        const after = await Promise.all([load(one, key), load(other, key)])
        for (const found of after) assert.ok(found >= since, `round ${round}: found ${found} after ${since}`)
        await Promise.all(readers)
      }
      assert.ok(clashes > 0, 'no load was ever overtaken: this shows nothing')
    })

    /** What each end is told from now on. */
    function listen(): readonly Invalidation[][] {
      return [one, other].map(tier => {
        const told: Invalidation[] = []
        tier.listen({ invalidated: what => void told.push(what), lost: () => {} })
        return told
      })
    }
  })
}

export function value(content: string, of: Partial<TierValue> = {}): TierValue {
  return { bytes: Buffer.from(content), freshForMs: MINUTE_MS, staleForMs: 0, tags: [], ...of }
}

export function text(claim: Claim): string {
  assert.ok(claim.state === 'found' || claim.state === 'stale', `the claim is ${claim.state}`)
  return Buffer.from(claim.value.bytes).toString()
}

export function yours(claim: Claim): Lease {
  assert.ok(claim.state === 'yours', `the claim is ${claim.state}`)
  return claim.lease
}

async function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const settled = promise.then(
    () => true,
    () => true,
  )
  return Promise.race([settled, new Promise<boolean>(resolve => setTimeout(resolve, ms, false))])
}
