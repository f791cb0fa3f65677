// The first tier's bounds and its index of tags, over any sequence of operations.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { MemoryStore } from '../../src/cache/memory-store.ts'
import { approximateBytes } from '../../src/cache/sizes.ts'
import type { CacheEntry } from '../../src/cache/store.ts'

/** A store does not judge ages. */
const UNUSED = { freshUntilMs: 0, staleUntilMs: 0, keptUntilMs: 0, refreshFromMs: 0, loadMs: 0 }

const tags = ['red', 'green', 'blue']
const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
const operation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      key,
      bytes: fc.integer({ min: 1, max: 60 }),
      tags: fc.subarray(tags),
    }),
  },
  fc.record({ kind: fc.constant('read' as const), key }),
  fc.record({ kind: fc.constant('delete' as const), key }),
  fc.record({ kind: fc.constant('deleteTagged' as const), tags: fc.subarray(tags) }),
)

test('stays within its bounds, drops the least recently used first and finds by tag what it holds', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 80 }), operations => {
      const store = new MemoryStore({ maxEntries: 4, maxBytes: 100 })
      let model: CacheEntry[] = [] // newest first
      const total = () => model.reduce((bytes, entry) => bytes + entry.bytes, 0)
      let evictions = 0
      for (const of of operations) {
        if (of.kind === 'write') {
          const { key, bytes, tags } = of
          const entry = { key, value: {}, tags, bytes, ...UNUSED, retryAtMs: 0 }
          store.write(entry)
          model = [entry, ...model.filter(other => other.key !== key)]
          for (; model.length > 4 || total() > 100; evictions++) model.pop()
        } else if (of.kind === 'read') {
          const found = model.find(entry => entry.key === of.key)
          assert.equal(store.read(of.key), found)
          if (found) model = [found, ...model.filter(entry => entry !== found)]
        } else if (of.kind === 'delete') {
          store.delete(of.key)
          model = model.filter(entry => entry.key !== of.key)
        } else {
          store.deleteTagged(of.tags)
          model = model.filter(entry => !entry.tags.some(tag => of.tags.includes(tag)))
        }
        assert.deepEqual(
          [store.entries, store.bytes, store.evictions],
          [model.length, total(), evictions],
          JSON.stringify(of),
        )
      }
      store.clear()
      assert.deepEqual([store.entries, store.bytes], [0, 0])
    }),
  )
})

test('does not keep an entry larger than all of it, nor the one it was to replace', () => {
  const store = new MemoryStore({ maxEntries: 10, maxBytes: 100 })
  const entry = { key: 'k', value: 1, tags: ['t'], ...UNUSED, retryAtMs: 0 }
  store.write({ ...entry, bytes: 10 })
  store.write({ ...entry, bytes: 101 })
  assert.equal(store.read('k'), undefined)
  assert.equal(store.bytes, 0)
})

test('estimates sizes within a factor that bounds memory, in little time for a huge value', () => {
  assert.ok(approximateBytes('x'.repeat(1_000)) >= 1_000)
  assert.ok(approximateBytes(Buffer.alloc(5_000)) >= 5_000)
  assert.ok(approximateBytes({ body: Buffer.alloc(5_000), head: { a: 'b' } }) >= 5_000)
  const row = { id: 1, name: 'a product', priceCents: 100 }
  const one = approximateBytes(row)
  const many = approximateBytes(Array.from({ length: 100_000 }, () => row))
  assert.ok(many > 50_000 * one && many < 200_000 * one, `${many} for 100,000 rows of ${one}`)
  const cyclic: { self?: unknown } = {}
  cyclic.self = cyclic
  assert.ok(Number.isFinite(approximateBytes(cyclic)))
  assert.ok(approximateBytes(new Map([['k', 'v'.repeat(100)]])) > 200)
})
