// Gives the pool of a worker the size that the plan says, at its start and whenever the number of workers changes.
import { declaredPools, EXTENT_CHANGED, host } from '../../core/host.ts'
import { planPools } from '../pool-plan.ts'
import { readCapacity } from './capacity.ts'
import type { StartLog } from './log.ts'
import type { Database } from './database.ts'
import { maxWaitingOf, type PostgresOptions } from './options.ts'
import { whyNotFitting } from './plan-text.ts'
import { demandOf, hostLimitOf, poolSpec } from './pool-demand.ts'

/**
 * A size that somebody gave stays as it is. One worker of all warns where the pools of all do not fit.
 *
 * @returns ends that
 * @throws PostgresSettingsError `POSTGRES_BAD_MAX_CONN`
 */
export async function followPlan(database: Database, options: PostgresOptions, log: StartLog): Promise<() => void> {
  const { server } = poolSpec(options)
  const hostLimit = hostLimitOf(process.env)
  const capacity = await readCapacity(database)
  // A pooler's clients are not the server's.
  if (capacity === undefined || capacity.isPooled) return () => {}
  let toldOf = ''
  const follow = (): void => {
    const pools = declaredPools().filter(pool => pool.server === server)
    const demand = demandOf(pools, host().extent, hostLimit)
    const plan = planPools(capacity, demand)
    const max = options.maxConnections ?? plan.size
    database.resize({ max, maxWaiting: maxWaitingOf(options, max) })
    const warning = plan.fits || host().worker > 1 ? '' : whyNotFitting(capacity.where, capacity, demand, plan)
    if (warning !== '' && warning !== toldOf) log.warn(warning)
    toldOf = warning
  }
  follow()
  return host().subscribe(EXTENT_CHANGED, follow)
}
