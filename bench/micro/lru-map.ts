// Touching one of 10,000 entries: our ring of nodes against deleting from and adding to a Map again.
import { LruMap } from '../../src/core/lru-map.ts'
import { compareCalls } from './time.ts'

const keys = Array.from({ length: 10_000 }, (_, i) => `product:${i}`)
const ring = new LruMap<string, number>()
const plain = new Map<string, number>()
for (const [i, key] of keys.entries()) {
  ring.set(key, i)
  plain.set(key, i)
}

compareCalls('touch, 10,000 entries', {
  'ring of nodes': count => {
    let sum = 0
    for (let i = 0; i < count; i++) sum += ring.get(keys[(i * 7919) % keys.length]!)!
    return sum
  },
  'Map, added again': count => {
    let sum = 0
    for (let i = 0; i < count; i++) {
      const key = keys[(i * 7919) % keys.length]!
      const value = plain.get(key)!
      plain.delete(key)
      plain.set(key, value)
      sum += value
    }
    return sum
  },
  'Map, read only': count => {
    let sum = 0
    for (let i = 0; i < count; i++) sum += plain.get(keys[(i * 7919) % keys.length]!)!
    return sum
  },
})
