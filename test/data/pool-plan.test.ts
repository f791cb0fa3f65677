// The arithmetic of pools: whatever the numbers, what the plan calls fitting fits, and what it says would help does.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { planPools, type PoolDemand, type ServerCapacity } from '../../src/data/pool-plan.ts'

const SERVER: ServerCapacity = { maxConnections: 100, superuserReserved: 3, reserved: 0 }
const ONE: PoolDemand = {
  workers: 1,
  surge: 1,
  hosts: 1,
  given: [],
  open: 1,
  listening: 1,
  migration: 2,
  others: 0,
  usual: 10,
}

describe('a pool plan', () => {
  test('8 workers on 4 hosts fit into 100 connections with pools of 1, and it takes 113 for pools of 2', () => {
    const plan = planPools(SERVER, { ...ONE, workers: 8, hosts: 4 })
    assert.deepEqual(plan, {
      available: 97,
      bound: 'server',
      processes: 36,
      size: 1,
      each: 2,
      taken: 74,
      fits: true,
      remedies: { limit: 113, workers: 6, hosts: 3, given: undefined },
    })
    assert.equal(planPools({ ...SERVER, maxConnections: 113 }, { ...ONE, workers: 8, hosts: 4 }).size, 2)
    assert.equal(planPools(SERVER, { ...ONE, workers: 6, hosts: 4 }).size, 2)
    assert.equal(planPools(SERVER, { ...ONE, workers: 8, hosts: 3 }).size, 2)
  })

  test('12 workers on 4 hosts do not fit, and each number that would help is named', () => {
    const { fits, size, taken, remedies } = planPools(SERVER, { ...ONE, workers: 12, hosts: 4 })
    assert.deepEqual([fits, size, taken], [false, 1, 106])
    assert.deepEqual(remedies, { limit: 109, workers: 10, hosts: 3, given: undefined })
  })

  test('a pool is of the usual size where there is room, and shares what its host may have where that is said', () => {
    assert.equal(planPools(SERVER, ONE).size, 10)
    assert.equal(planPools(SERVER, { ...ONE, hostLimit: 64 }).size, 31)
    assert.equal(planPools(SERVER, { ...ONE, hostLimit: 256 }).size, 46)
    assert.deepEqual(planPools(SERVER, { ...ONE, workers: 8, hostLimit: 8 }).bound, 'host')
    assert.equal(planPools(SERVER, { ...ONE, workers: 8, hostLimit: 8 }).remedies.limit, 18)
  })

  test('limits of the role and the database count where they are narrower', () => {
    assert.deepEqual(
      [planPools({ ...SERVER, roleLimit: 20 }, ONE), planPools({ ...SERVER, databaseLimit: 10 }, ONE)].map(
        ({ available, bound, size }) => [available, bound, size],
      ),
      [
        [20, 'role', 8],
        [10, 'database', 3],
      ],
    )
  })

  test('sizes that were given are taken as they are, and one that is too large is named with what fits', () => {
    const demand = { ...ONE, workers: 8, open: 0, given: [20, 2] }
    const { fits, taken, remedies } = planPools(SERVER, demand)
    assert.deepEqual([fits, taken], [false, 209])
    assert.equal(remedies.given, 7)
    assert.equal(planPools(SERVER, { ...demand, given: [7, 2] }).fits, true)
    assert.equal(planPools(SERVER, { ...demand, given: [8, 2] }).fits, false)
  })
})

describe('every pool plan', () => {
  const server: fc.Arbitrary<ServerCapacity> = fc.record({
    maxConnections: fc.integer({ min: 1, max: 2000 }),
    superuserReserved: fc.integer({ min: 0, max: 20 }),
    reserved: fc.integer({ min: 0, max: 20 }),
    roleLimit: fc.option(fc.integer({ min: 0, max: 500 }), { nil: undefined }),
    databaseLimit: fc.option(fc.integer({ min: 0, max: 500 }), { nil: undefined }),
  })
  const demand: fc.Arbitrary<PoolDemand> = fc.record({
    workers: fc.integer({ min: 1, max: 128 }),
    surge: fc.integer({ min: 0, max: 2 }),
    hosts: fc.integer({ min: 1, max: 20 }),
    given: fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 3 }),
    open: fc.integer({ min: 0, max: 3 }),
    listening: fc.integer({ min: 0, max: 3 }),
    migration: fc.integer({ min: 0, max: 2 }),
    others: fc.integer({ min: 0, max: 30 }),
    usual: fc.integer({ min: 1, max: 20 }),
    hostLimit: fc.option(fc.integer({ min: 1, max: 500 }), { nil: undefined }),
  })
  const limitOf = ({ maxConnections, superuserReserved, reserved, ...server }: ServerCapacity, demand: PoolDemand) =>
    Math.min(
      maxConnections - superuserReserved - reserved - demand.others,
      (server.roleLimit ?? Infinity) - demand.others,
      (server.databaseLimit ?? Infinity) - demand.others,
      demand.hostLimit === undefined ? Infinity : demand.hostLimit * demand.hosts + demand.migration,
    )

  test('never takes more than there is without saying so, and never plans a pool of none', () => {
    fc.assert(
      fc.property(server, demand, (server, demand) => {
        const plan = planPools(server, demand)
        const { workers, surge, hosts, given, open, listening, migration } = demand
        const each = given.reduce((sum, size) => sum + size, 0) + open * plan.size + listening
        const taken = (workers + surge) * hosts * each + migration
        assert.ok(plan.size >= 1 && Number.isInteger(plan.size))
        assert.equal(plan.taken, taken)
        assert.equal(plan.available, Math.max(0, limitOf(server, demand)))
        assert.equal(plan.fits, taken <= plan.available)
        if (!plan.fits && open > 0) assert.equal(plan.size, 1)
      }),
    )
  })

  test('gives pools as much as fits, up to the usual', () => {
    fc.assert(
      fc.property(server, demand, (server, demand) => {
        const plan = planPools(server, demand)
        const { open, usual, hostLimit } = demand
        if (open === 0 || !plan.fits) return
        if (hostLimit === undefined) assert.ok(plan.size <= usual)
        if (hostLimit === undefined && plan.size === usual) return
        assert.ok(plan.taken + plan.processes * open > plan.available)
      }),
    )
  })

  test('that does not fit does with any one of its remedies', () => {
    fc.assert(
      fc.property(server, demand, (server, demand) => {
        const { fits, bound, remedies } = planPools(server, demand)
        if (fits) return
        for (const name of ['workers', 'hosts'] as const) {
          const count = remedies[name]
          if (count === undefined) continue
          assert.ok(planPools(server, { ...demand, [name]: count }).fits, name)
        }
        if (remedies.given !== undefined) {
          const largest = demand.given.indexOf(Math.max(...demand.given))
          const given = demand.given.with(largest, remedies.given)
          assert.ok(planPools(server, { ...demand, given }).fits, 'given')
        }
        const raised = {
          server: [{ ...server, maxConnections: remedies.limit }, demand],
          role: [{ ...server, roleLimit: remedies.limit }, demand],
          database: [{ ...server, databaseLimit: remedies.limit }, demand],
          host: [server, { ...demand, hostLimit: remedies.limit }],
        } as const
        const after = planPools(...(raised[bound] as [ServerCapacity, PoolDemand]))
        // Then it is another limit that is too narrow, if one still is.
        assert.ok(after.fits || after.bound !== bound, bound)
      }),
    )
  })
})
