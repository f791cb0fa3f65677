// The least-recently-used map against the plainest model there is: an array, newest first.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { LruMap } from '../../src/core/lru-map.ts'

test('behaves like a list that moves what is used to its front', () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'e')
  const operation = fc.oneof(
    fc.record({ kind: fc.constant('set' as const), key, value: fc.integer() }),
    fc.record({ kind: fc.constantFrom('get' as const, 'peek' as const, 'delete' as const), key }),
    fc.record({ kind: fc.constant('dropOldest' as const) }),
    fc.record({ kind: fc.constant('clear' as const) }),
  )
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), operations => {
      const map = new LruMap<string, { key: string; value: number }>()
      let model: { key: string; value: number }[] = []
      for (const of of operations) {
        if (of.kind === 'set') {
          const entry = { key: of.key, value: of.value }
          map.set(of.key, entry)
          model = [entry, ...model.filter(other => other.key !== of.key)]
        } else if (of.kind === 'dropOldest') {
          const oldest = map.oldest()
          assert.equal(oldest, model.at(-1))
          if (oldest) assert.equal(map.delete(oldest.key), model.pop())
        } else if (of.kind === 'clear') {
          map.clear()
          model = []
        } else {
          const expected = model.find(entry => entry.key === of.key)
          assert.equal(map[of.kind](of.key), expected)
          if (expected && of.kind !== 'peek') model = model.filter(entry => entry !== expected)
          if (expected && of.kind === 'get') model = [expected, ...model]
        }
        assert.deepEqual([...map.values()], model)
        assert.equal(map.size, model.length)
      }
    }),
  )
})

test('lets the entry at hand be deleted while iterating', () => {
  const map = new LruMap<number, number>()
  for (let i = 0; i < 5; i++) map.set(i, i)
  for (const value of map.values()) if (value % 2 === 0) map.delete(value)
  assert.deepEqual([...map.values()], [3, 1])
})
