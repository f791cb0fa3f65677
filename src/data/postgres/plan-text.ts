// A pool plan in words: the arithmetic, and what would have to change.
import type { PoolDemand, PoolPlan, ServerCapacity } from '../pool-plan.ts'

/** One sentence, no final dot. @param where  the server, without a password */
export function whyNotFitting(where: string, server: ServerCapacity, demand: PoolDemand, plan: PoolPlan): string {
  const { workers, surge, hosts, migration, listening } = demand
  const pools = plan.each - listening
  const crew = surge === 0 ? `${count(workers, 'worker')}` : `(${count(workers, 'worker')} + ${surge} while replacing)`
  const taken =
    `${crew} x ${count(hosts, 'host')} x (${pools} pooled + ${listening} listening) + ${migration} migrating = ` +
    `${plan.taken}`
  return (
    `the connections to PostgreSQL at ${where} do not fit: this app may take ${taken}, and there are ${plan.available} ` +
    `(${whereFrom(server, demand, plan)}); ${remediesText(demand, plan)}`
  )
}

/** The ways out, any one of which is enough: `set max_connections to at least 109, or ...`. */
export function remediesText(demand: PoolDemand, { bound, remedies }: PoolPlan): string {
  const { limit, workers, hosts, given } = remedies
  const raise = {
    server: `set max_connections of the server to at least ${limit}`,
    role: `let the role have at least ${limit} (alter role ... connection limit)`,
    database: `let the database have at least ${limit} (alter database ... connection limit)`,
    host: `set DATABASE_MAX_CONN to at least ${limit}`,
  }
  const ways = [
    raise[bound],
    ...(workers === undefined || workers === demand.workers
      ? []
      : [`run at most ${count(workers, 'worker')} on each host (--workers, --max-workers)`]),
    ...(hosts === undefined || hosts === demand.hosts ? [] : [`run on at most ${count(hosts, 'host')} (--replicas)`]),
    ...(given === undefined ? [] : [`give the largest pool at most ${given} (maxConnections of postgres())`]),
  ]
  return ways.join(', or ')
}

/** `max_connections 100 - 3 reserved`. */
export function whereFrom(
  server: ServerCapacity,
  { others, hostLimit, hosts }: PoolDemand,
  { bound }: PoolPlan,
): string {
  const reserved = server.superuserReserved + server.reserved
  const left = others === 0 ? '' : ` - ${others} left for others`
  switch (bound) {
    case 'server':
      return `max_connections ${server.maxConnections} - ${reserved} reserved${left}`
    case 'role':
      return `connection limit of the role ${server.roleLimit!}${left}`
    case 'database':
      return `connection limit of the database ${server.databaseLimit!}${left}`
    case 'host':
      return `DATABASE_MAX_CONN ${hostLimit!} x ${count(hosts, 'host')}, and the migrating one`
  }
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}
