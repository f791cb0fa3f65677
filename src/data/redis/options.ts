// What can be said about a Redis, with its defaults.
import { milliseconds, type Duration } from '../../core/duration.ts'
import { RedisSettingsError } from './errors.ts'

export interface SentinelOptions {
  /** What the sentinels call the primary. */
  readonly name: string
  /** Some of the sentinels, `redis://host:26379`; a user and password there are for the sentinels. */
  readonly nodes: readonly string[]
  /** User, password, database and `rediss:` of the servers themselves, `redis://user:password@any:6379/0`. Default: none. */
  readonly servers?: string
}

export interface ClientSideCacheOptions {
  /** Default 1,000. */
  readonly maxEntries?: number
  /** Default: until Redis says that it changed. */
  readonly ttl?: Duration
}

export interface RedisOptions {
  /**
   * `redis://user:password@host:6379/0`, `rediss:` for TLS, `unix:///run/redis.sock` for a socket. Default: the environment's REDIS_URL.
   */
  readonly url?: string | undefined
  /** Addresses of some nodes of a cluster, instead of `url`. User, password and `rediss:` of the first are for all. */
  readonly cluster?: readonly string[]
  /** A primary that sentinels watch over, instead of `url`. */
  readonly sentinel?: SentinelOptions
  /** A command that was not answered by then is a RedisTimeoutError. Default '1s'; for the cache '100ms'. */
  readonly commandTimeout?: Duration
  /** How long opening a connection may take. Default '5s'. */
  readonly connectTimeout?: Duration
  /** Whether a worker waits at its start until Redis answers, or starts without it. Default 'wait'; for the cache 'degraded'. */
  readonly start?: 'wait' | 'degraded'
  /** How long the start waits, for `start: 'wait'`. Default: until Redis answers or the start is aborted. */
  readonly startTimeout?: Duration
  /**
   * Replies to reading commands are kept in this process until Redis says that a key changed (CLIENT TRACKING), or is silent for longer than a
   * second or two. Of a cluster's nodes one that is silent is not noticed: give a `ttl` there. Default false.
   */
  readonly clientSideCache?: boolean | ClientSideCacheOptions
  /** Shown in CLIENT LIST. Default 'millrace'. */
  readonly clientName?: string
}

/** A server's address as `@redis/client` takes it. */
export interface NodeAddress {
  readonly url?: string
  readonly path?: string
}

export type Target =
  | { readonly kind: 'single'; readonly node: NodeAddress }
  | { readonly kind: 'cluster'; readonly nodes: readonly NodeAddress[]; readonly access: Access }
  | ({ readonly kind: 'sentinel'; readonly name: string; readonly nodes: readonly { host: string; port: number }[] } & {
      readonly watchers: Access
      readonly servers: Access
    })

/** What addresses say besides where. */
export interface Access {
  readonly username?: string
  readonly password?: string
  readonly database?: number
  readonly tls: boolean
}

export interface ResolvedOptions {
  readonly target: Target
  /** For messages: hosts and ports, nothing secret. */
  readonly where: string
  readonly commandTimeoutMs: number
  readonly connectTimeoutMs: number
  readonly start: 'wait' | 'degraded'
  readonly startTimeoutMs: number
  readonly clientSideCache: { readonly maxEntries: number; readonly ttlMs: number } | undefined
  readonly clientName: string
}

/**
 * @throws UsageError `CORE_BAD_DURATION`; RedisSettingsError `REDIS_NO_URL`, `REDIS_BAD_URL`
 */
export function resolveOptions(options: RedisOptions): ResolvedOptions {
  const { clientSideCache } = options
  const kept = typeof clientSideCache === 'object' ? clientSideCache : {}
  return {
    ...findTarget(options),
    commandTimeoutMs: milliseconds(options.commandTimeout ?? '1s', 'commandTimeout'),
    connectTimeoutMs: milliseconds(options.connectTimeout ?? '5s', 'connectTimeout'),
    start: options.start ?? 'wait',
    startTimeoutMs: options.startTimeout === undefined ? Infinity : milliseconds(options.startTimeout, 'startTimeout'),
    clientSideCache:
      clientSideCache === undefined || clientSideCache === false
        ? undefined
        : { maxEntries: kept.maxEntries ?? 1_000, ttlMs: milliseconds(kept.ttl ?? 0, 'clientSideCache.ttl') },
    clientName: options.clientName ?? 'millrace',
  }
}

function findTarget(options: RedisOptions): Pick<ResolvedOptions, 'target' | 'where'> {
  const { cluster, sentinel } = options
  if (cluster !== undefined) {
    const urls = cluster.map(parseUrl)
    const access = accessOf(urls[0] ?? noUrl('cluster: [] names no node'))
    return {
      target: { kind: 'cluster', nodes: urls.map(url => ({ url: `${url.protocol}//${url.host}` })), access },
      where: `the cluster at ${urls.map(({ host }) => host).join(', ')}`,
    }
  }
  if (sentinel !== undefined) {
    const urls = sentinel.nodes.map(parseUrl)
    const watchers = accessOf(urls[0] ?? noUrl('sentinel: { nodes: [] } names no sentinel'))
    const servers = sentinel.servers === undefined ? { tls: false } : accessOf(parseUrl(sentinel.servers))
    const nodes = urls.map(({ hostname, port }) => ({ host: hostname, port: Number(port || 26379) }))
    return {
      target: { kind: 'sentinel', name: sentinel.name, nodes, watchers, servers },
      where: `${sentinel.name} of the sentinels at ${urls.map(({ host }) => host).join(', ')}`,
    }
  }
  const text =
    options.url ??
    (process.env['REDIS_URL'] || noUrl('No Redis was named: set REDIS_URL=redis://user:password@host:6379/0'))
  const url = parseUrl(text)
  if (url.protocol === 'unix:') return { target: { kind: 'single', node: { path: url.pathname } }, where: url.pathname }
  return { target: { kind: 'single', node: { url: text } }, where: url.host }
}

function noUrl(message: string): never {
  throw new RedisSettingsError('REDIS_NO_URL', message)
}

// Never the text or the cause in the message: it may hold a password.
function parseUrl(text: string): URL {
  const url = URL.parse(text)
  if (
    url === null ||
    !['redis:', 'rediss:', 'unix:'].includes(url.protocol) ||
    (url.host === '' && url.pathname === '')
  )
    throw new RedisSettingsError(
      'REDIS_BAD_URL',
      'An address of Redis cannot be read; expected redis://user:password@host:6379/0, rediss://... or unix:///path',
    )
  return url
}

function accessOf(url: URL): Access {
  const database = Number(url.pathname.slice(1) || 0)
  return {
    ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
    ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
    ...(database === 0 ? {} : { database }),
    tls: url.protocol === 'rediss:',
  }
}
