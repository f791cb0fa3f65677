// How many connections each pool may have, so that those of all workers on all hosts fit into what the server has. Pure arithmetic.
//
//   available  max_connections - what the server keeps for itself - what is left for others; or a narrower limit of the role or the database
//   workers    on one host at most: those that are wanted, and the one that is started before another ends, at a reload or a replacement
//   taken      workers x hosts x (pools + connections that listen) + migration
//
// A pool whose size nobody has given gets an equal share of what is left, at most the usual size, and never less than 1: a worker without a
// connection serves nobody. Where even that does not fit, the plan says so, and what would.

/** What the server has. */
export interface ServerCapacity {
  readonly maxConnections: number
  /** Slots that only superusers get. */
  readonly superuserReserved: number
  /** Slots that only roles with pg_use_reserved_connections get; since PostgreSQL 16. */
  readonly reserved: number
  /** What the role may have; undefined: as many as there are. */
  readonly roleLimit?: number | undefined
  /** What the database may have; undefined: as many as there are. */
  readonly databaseLimit?: number | undefined
}

/** What the app wants of it. */
export interface PoolDemand {
  /** On one host, at their most. */
  readonly workers: number
  /** Workers beyond these while one takes another's place. */
  readonly surge: number
  readonly hosts: number
  /** The pools of one worker whose size somebody has given. */
  readonly given: readonly number[]
  /** How many pools of one worker have none. */
  readonly open: number
  /** Connections of one worker beside its pools: those that listen. */
  readonly listening: number
  /** For the runner of migrations, once for all. */
  readonly migration: number
  /** Left alone for other programs. */
  readonly others: number
  /** Most that a pool gets whose size nobody has given. */
  readonly usual: number
  /** Most connections of this host, by DATABASE_MAX_CONN: then these are shared out, whatever is usual. */
  readonly hostLimit?: number | undefined
}

/** Which number it is that does not allow more. */
export type Bound = 'server' | 'role' | 'database' | 'host'

export interface PoolPlan {
  /** For this app, on all hosts. */
  readonly available: number
  readonly bound: Bound
  /** At most, on all hosts. */
  readonly processes: number
  /** Size of each pool that has none; the usual one where there is no such pool. */
  readonly size: number
  /** Connections of one worker: pools, and those that listen. */
  readonly each: number
  /** By all at their most. */
  readonly taken: number
  readonly fits: boolean
  /** Each alone would mend a plan that does not fit; one that fits with pools of 1 would get pools of 2. */
  readonly remedies: Remedies
}

/** Undefined: that number alone cannot. */
export interface Remedies {
  /** What the bound would have to be: `max_connections`, the limit of the role or the database, or DATABASE_MAX_CONN. */
  readonly limit: number
  readonly workers: number | undefined
  readonly hosts: number | undefined
  /** The largest of the sizes that were given. */
  readonly given: number | undefined
}

export function planPools(server: ServerCapacity, demand: PoolDemand): PoolPlan {
  const { available, bound } = availableOf(server, demand)
  const processes = processesOf(demand)
  const size = sizeWithin(available, processes, demand)
  const each = eachOf(demand, size)
  const taken = processes * each + demand.migration
  return {
    available,
    bound,
    processes,
    size,
    each,
    taken,
    fits: taken <= available,
    remedies: remediesOf(server, demand, { available, bound }),
  }
}

type Room = Pick<PoolPlan, 'available' | 'bound'>

function availableOf(server: ServerCapacity, { hosts, hostLimit, migration, others }: PoolDemand): Room {
  const limits: readonly (readonly [Bound, number | undefined])[] = [
    ['server', server.maxConnections - server.superuserReserved - server.reserved],
    ['role', server.roleLimit],
    ['database', server.databaseLimit],
  ]
  // Others come out of each of them: nobody knows as whom they connect.
  const ofServer = limits.map(([bound, limit]) => [bound, limit === undefined ? Infinity : limit - others] as const)
  // A host's own limit is for its pools; whoever migrates does so from anywhere.
  const ofHost = ['host', hostLimit === undefined ? Infinity : hostLimit * hosts + migration] as const
  const [bound, available] = [...ofServer, ofHost].reduce((least, one) => (one[1] < least[1] ? one : least))
  return { available: Math.max(0, available), bound }
}

function processesOf({ workers, surge, hosts }: PoolDemand): number {
  return (workers + surge) * hosts
}

function eachOf({ given, open, listening }: PoolDemand, size: number): number {
  return given.reduce((sum, each) => sum + each, 0) + open * size + listening
}

/** Never below 1, even where that does not fit. */
function sizeWithin(available: number, processes: number, demand: PoolDemand): number {
  const { open, usual, hostLimit, migration } = demand
  const most = hostLimit === undefined ? usual : Infinity
  if (open === 0) return usual
  const share = Math.floor((available - migration) / processes)
  return Math.max(1, Math.min(most, Math.floor((share - eachOf(demand, 0)) / open)))
}

/** What each number would have to be for the smallest plan, or, where that fits already, for pools of 2. */
function remediesOf(server: ServerCapacity, demand: PoolDemand, { available, bound }: Room): Remedies {
  const { workers, surge, hosts, given, migration, others, hostLimit } = demand
  const smallest = processesOf(demand) * eachOf(demand, 1) + migration
  const each = eachOf(demand, smallest <= available ? 2 : 1)
  const needed = processesOf(demand) * each + migration
  const room = available - migration
  const kept = server.superuserReserved + server.reserved
  const limits: Readonly<Record<Bound, number>> = {
    server: needed + kept + others,
    role: needed + others,
    database: needed + others,
    host: (workers + surge) * each,
  }
  const largest = Math.max(0, ...given)
  const isWrong = smallest > available
  const fewerHosts = Math.floor(room / (each * (workers + surge)))
  return {
    limit: limits[bound],
    workers: atLeast1(Math.min(workers, Math.floor(room / (each * hosts)) - surge)),
    // A host's own limit is the same however many there are.
    hosts: limits.host > (hostLimit ?? Infinity) ? undefined : atLeast1(Math.min(hosts, fewerHosts)),
    given: isWrong && largest > 0 ? atLeast1(Math.floor(room / processesOf(demand)) - (each - largest)) : undefined,
  }
}

function atLeast1(count: number): number | undefined {
  return count >= 1 ? count : undefined
}
