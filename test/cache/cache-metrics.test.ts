import { test } from 'node:test'
import assert from 'node:assert/strict'
import { cacheMetrics } from '../../src/cache/cache-metrics.ts'
import { Cache } from '../../src/cache/cache.ts'
import { InvalidationBus } from '../../src/cache/invalidation.ts'
import { LocalHost } from '../../src/core/host.ts'
import { readMetrics } from '../../src/core/metrics.ts'

test('what each cache has done is told by its name, and of two with one name together', async () => {
  const local = new LocalHost()
  const bus = new InvalidationBus(() => local)
  const [one, other, apart] = ['pages', 'pages', 'prices'].map(name => new Cache({ name }, bus))
  new Cache({ name: 'unused' }, bus)
  const policy = { ttl: '1m', tags: ['t'] } as const
  for (const cache of [one!, other!, apart!]) {
    await cache.get('k', () => 1, policy)
    await cache.get('k', () => 1, policy)
  }
  await assert.rejects(apart!.get('l', () => Promise.reject(new Error('no')), policy))
  await one!.invalidate('t')
  const told = new Map(
    cacheMetrics(bus.caches).flatMap(({ name, samples }) =>
      samples.map(({ labels, value }) => [`${name} ${Object.values(labels!).join(' ')}`, value]),
    ),
  )
  const expected = {
    'millrace_cache_lookups_total pages hits': 2,
    'millrace_cache_lookups_total pages misses': 2,
    'millrace_cache_lookups_total prices misses': 2,
    'millrace_cache_loads_total pages': 2,
    'millrace_cache_load_errors_total prices': 1,
    'millrace_cache_invalidated_total pages': 2,
    'millrace_cache_entries prices': 0,
  }
  for (const [name, value] of Object.entries(expected)) assert.equal(told.get(name), value, name)
  assert.ok(![...told.keys()].some(name => name.includes('unused')))
})

test('the caches of a process are among its metrics', async () => {
  const cache = new Cache({ name: 'told' })
  await cache.get('k', () => 1, { ttl: '1m' })
  const loads = readMetrics().find(({ name }) => name === 'millrace_cache_loads_total')
  assert.ok(loads?.samples.some(({ labels, value }) => labels!['cache'] === 'told' && value === 1))
})
