// What `millrace doctor` finds out about one PostgreSQL server: whether the pools of an app fit into it, and who else is connected.
import type { Extent, PoolSpec } from '../../core/host.ts'
import { planPools, type PoolDemand, type PoolPlan, type ServerCapacity } from '../pool-plan.ts'
import { readCapacity, type ServerFacts } from './capacity.ts'
import type { Database } from './database.ts'
import { EMBEDDED_CONNECTIONS } from './embedded-server.ts'
import { findMissingIndexes, type IndexReport } from './index-hints.ts'
import { demandOf } from './pool-demand.ts'

export interface Calculation {
  readonly capacity: ServerCapacity
  readonly demand: PoolDemand
  readonly plan: PoolPlan
}

export interface Examination {
  /** Undefined where the server speaks PostgreSQL's protocol and is another. */
  readonly facts: ServerFacts | undefined
  /** Undefined where there is nothing to calculate: through a pooler, and for other servers. */
  readonly calculation: Calculation | undefined
  /** Connections of other programs now. */
  readonly others: number
  /** One statement there and back. */
  readonly tookMs: number
  readonly indexes: IndexReport | undefined
}

/** @param pools  of the app for this server */
export async function examine(
  database: Database,
  pools: readonly PoolSpec[],
  extent: Extent,
  hostLimit: number | undefined,
): Promise<Examination> {
  const beganMs = performance.now()
  await database.query('select 1')
  const tookMs = performance.now() - beganMs
  const facts = await readCapacity(database)
  if (facts === undefined || facts.isPooled)
    return { facts, calculation: undefined, others: 0, tookMs, indexes: undefined }
  const names = pools.map(({ options }) => String(options['applicationName']))
  // Without the right to see others' sessions, their backend_type is null and their name is not.
  const { others } = await database
    .query<{ others: number }>(
      `select count(*)::int as others from pg_stat_activity
      where datid is not null and pid <> pg_backend_pid() and coalesce(backend_type, 'client backend') = 'client backend'
        and application_name <> all ($1)`,
      [names],
    )
    .one()
  const calculation = calculate(facts, demandOf(pools, extent, hostLimit))
  return { facts, calculation, others, tookMs, indexes: await findMissingIndexes(database) }
}

export interface ReplicaExamination {
  readonly where: string
  /** Whether it follows another server; one that does not takes writes that nobody else sees. */
  readonly follows: boolean
  /** Connections that it has, less those that it keeps; undefined through a pooler. */
  readonly slots: number | undefined
  readonly tookMs: number
}

export async function examineReplica(database: Database): Promise<ReplicaExamination | undefined> {
  const beganMs = performance.now()
  const { follows } = await database.query<{ follows: boolean }>('select pg_is_in_recovery() as follows').one()
  const tookMs = performance.now() - beganMs
  const facts = await readCapacity(database)
  if (facts === undefined) return undefined
  const { where, isPooled, maxConnections, superuserReserved, reserved } = facts
  return { where, follows, slots: isPooled ? undefined : maxConnections - superuserReserved - reserved, tookMs }
}

/** For an embedded server that does not run: what it will have when it does. */
export function calculateEmbedded(pools: readonly PoolSpec[], extent: Extent, hostLimit?: number): Calculation {
  const capacity = { maxConnections: EMBEDDED_CONNECTIONS, superuserReserved: 3, reserved: 0 }
  return calculate(capacity, demandOf(pools, extent, hostLimit))
}

function calculate(capacity: ServerCapacity, demand: PoolDemand): Calculation {
  return { capacity, demand, plan: planPools(capacity, demand) }
}

/** @param version  `17.4` @returns the year in whose November its makers stop mending it */
export function lastYearOf(version: string): number {
  // One major version each autumn since 10 in 2017, and five years of each.
  return Number.parseInt(version, 10) + 2012
}
