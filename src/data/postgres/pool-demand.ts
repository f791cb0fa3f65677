// What the pools of an app want of one PostgreSQL server: those that this app has declared for it, in each of its processes.
import type { Extent, PoolSpec } from '../../core/host.ts'
import type { PoolDemand } from '../pool-plan.ts'
import { databaseUrl } from './connect.ts'
import { makeClient } from './connection.ts'
import { embeddedSpec } from './embedded-service.ts'
import { PostgresSettingsError } from './errors.ts'
import { splitHosts } from './hosts.ts'
import { DEFAULT_APPLICATION_NAME, type PostgresOptions, USUAL_CONNECTIONS } from './options.ts'

// The one that applies migrations; its lock and its statements are on one connection.
const MIGRATION_CONNECTIONS = 1

// Of each pool: notifications arrive on a connection of their own, which is open for as long as somebody listens.
const LISTENING_CONNECTIONS = 1

/** @returns what `postgres(options)` declares */
export function poolSpec(options: PostgresOptions): PoolSpec {
  const { url, embedded, maxConnections, leaveConnections = 0 } = options
  return {
    store: 'postgres',
    server: serverOf(options),
    size: maxConnections,
    others: leaveConnections,
    options: {
      applicationName: options.applicationName ?? DEFAULT_APPLICATION_NAME,
      ...(url === undefined ? {} : { url }),
      ...(embedded === undefined ? {} : { embedded }),
      ...(options.replicas === undefined ? {} : { replicas: options.replicas }),
    },
  }
}

/** @param hostLimit  see hostLimitOf() */
export function demandOf(pools: readonly PoolSpec[], extent: Extent, hostLimit: number | undefined): PoolDemand {
  const given = pools.map(({ size }) => size).filter(size => size !== undefined)
  return {
    ...extent,
    given,
    open: pools.length - given.length,
    listening: LISTENING_CONNECTIONS * pools.length,
    migration: MIGRATION_CONNECTIONS,
    others: Math.max(0, ...pools.map(({ others }) => others)),
    usual: USUAL_CONNECTIONS,
    hostLimit,
  }
}

/**
 * DATABASE_MAX_CONN: how many connections this host may have, all workers together. By that name in HttpArena and elsewhere.
 *
 * @throws PostgresSettingsError `POSTGRES_BAD_MAX_CONN`
 */
export function hostLimitOf(environment: Readonly<Record<string, string | undefined>>): number | undefined {
  const text = environment['DATABASE_MAX_CONN']
  if (text === undefined || text === '') return undefined
  const limit = /^\d{1,9}$/.test(text) ? Number(text) : 0
  if (limit > 0) return limit
  throw new PostgresSettingsError(
    'POSTGRES_BAD_MAX_CONN',
    `DATABASE_MAX_CONN is ${JSON.stringify(text)}; expected how many connections this host may have, a whole number, 1 or more`,
  )
}

/** Host and port, without user, password and database; what cannot be read is a server of its own, and connect() says what is wrong with it. */
function serverOf(options: PostgresOptions): string {
  const url = databaseUrl(options)
  if (url === undefined) return `embedded ${embeddedSpec(options.embedded || {}).key}`
  try {
    return splitHosts(url)
      .map(each => makeClient({ connectionString: each }))
      .map(({ host, port }) => `${host}:${port}`)
      .join(',')
  } catch {
    return 'unreadable'
  }
}
