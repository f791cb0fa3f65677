// Which entries stay when there is not room for all: a load of the kind that shops have, and somebody who reads everything once.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { LruMap } from '../../src/core/lru-map.ts'
import { SegmentedLru } from '../../src/cache/segmented-lru.ts'

const ROOM = 1_000
const KEYS = 20_000

/** Park and Miller's: the same numbers in every run. */
function dice(seed: number): () => number {
  let state = seed
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
}

/** Keys by Zipf's law with exponent 0.9, as accesses to web pages have it. */
function zipf(random: () => number): () => number {
  const sums: number[] = []
  for (let n = 1, sum = 0; n <= KEYS; n++) sums.push((sum += n ** -0.9))
  return () => {
    const wanted = random() * sums.at(-1)!
    let low = 0
    for (let high = KEYS - 1; low < high;) {
      const middle = (low + high) >> 1
      if (sums[middle]! < wanted) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** @returns the share of the zipfian look-ups that found their entry; the scan asks for as many keys, each once */
function hitRate(look: (key: string) => boolean, withScan: boolean): number {
  const next = zipf(dice(7))
  let hits = 0
  let asked = 0
  for (let n = 0; n < 200_000; n++) {
    const found = look(`page ${next()}`)
    if (n >= 50_000) {
      asked++
      if (found) hits++
    }
    if (withScan) look(`scanned ${n}`)
  }
  return hits / asked
}

function segmented(): (key: string) => boolean {
  const entries = new SegmentedLru<{ key: string; bytes: number }>({ maxEntries: ROOM, maxBytes: Infinity })
  return key => {
    if (entries.get(key)) return true
    entries.add({ key, bytes: 1 })
    while (entries.size > ROOM) entries.evict()
    return false
  }
}

function plainLru(): (key: string) => boolean {
  const entries = new LruMap<string, string>()
  return key => {
    if (entries.get(key) !== undefined) return true
    entries.set(key, key)
    while (entries.size > ROOM) entries.delete(entries.oldest()!)
    return false
  }
}

test('a scan that asks for as many keys as everybody else costs few hits, where plain LRU loses many', () => {
  const rates = {
    plain: hitRate(plainLru(), false),
    plainScanned: hitRate(plainLru(), true),
    alone: hitRate(segmented(), false),
    scanned: hitRate(segmented(), true),
  }
  const told = JSON.stringify(rates)
  assert.ok(rates.alone >= rates.plain, told)
  assert.ok(rates.scanned >= rates.alone - 0.05, told)
  assert.ok(rates.scanned >= rates.plainScanned + 0.08, told)
})

test('what is newest is never what goes, however large it is', () => {
  const entries = new SegmentedLru<{ key: string; bytes: number }>({ maxEntries: 100, maxBytes: 100 })
  for (const key of ['a', 'b', 'c', 'd']) {
    entries.add({ key, bytes: 20 })
    entries.get(key)
  }
  entries.add({ key: 'large', bytes: 90 })
  while (entries.bytes > 100) entries.evict()
  assert.ok(entries.get('large'))
  assert.equal(entries.size, 1)
})

test('counts the bytes of both segments, over promotion, demotion, deletion and clearing', () => {
  const entries = new SegmentedLru<{ key: string; bytes: number }>({ maxEntries: 64, maxBytes: 1_000 })
  for (let n = 0; n < 64; n++) {
    entries.add({ key: `${n}`, bytes: n })
    if (n % 2 === 0) entries.get(`${n}`)
  }
  const sum = (64 * 63) / 2
  assert.deepEqual([entries.size, entries.bytes], [64, sum])
  entries.delete('62')
  entries.delete('63')
  assert.deepEqual([entries.size, entries.bytes], [62, sum - 125])
  while (entries.evict());
  assert.deepEqual([entries.size, entries.bytes], [0, 0])
})
