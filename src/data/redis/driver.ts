// One client of `@redis/client`, whichever of its three kinds: what differs between a server, a cluster and sentinels stays in this file.
//
// The client writes what was asked for in one turn of the loop as one packet (its `scheduleWrite` is a setImmediate, its socket corked),
// so commands are pipelined without anybody asking. It refuses what comes while it is not connected: waiting is for whoever asked to decide.
import {
  createClient,
  createCluster,
  createSentinel,
  RESP_TYPES,
  type RedisClientType,
  type RedisClusterType,
  type RedisSentinelType,
} from '@redis/client'
import type { Access, NodeAddress, ResolvedOptions } from './options.ts'

export type AnyClient = RedisClientType | RedisClusterType | RedisSentinelType

/** Told of what happens to connections. */
export interface DriverEvents {
  /** A connection was lost, or could not be made. */
  lost(error: unknown): void
  /** There is a connection, new or again. */
  ready(): void
  /** Whether it is no use to try again after this. */
  isHopeless(error: unknown): boolean
}

type Listener = (message: Buffer, channel: Buffer) => void

export interface Driver {
  readonly client: AnyClient
  readonly isReady: boolean
  connect(): Promise<void>
  /**
   * @param key  decides which node of a cluster is asked
   * @returns texts as Buffers, integers as numbers
   */
  send(key: string, args: readonly (string | Buffer)[]): Promise<unknown>
  /** Sharded where there is a cluster: on the node of the channel's slot, in order with what scripts there publish. */
  subscribe(channel: string, listener: Listener, sharded: boolean): Promise<void>
  unsubscribe(channel: string, listener: Listener, sharded: boolean): Promise<void>
  /** Waits for what was sent. */
  close(): Promise<void>
  /** At once; what was sent is rejected. */
  destroy(): void
}

const BINARY = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } }
// A second at most between attempts: who waits for Redis wants it as soon as it is there, and one SYN a second costs nobody anything.
const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 1_000
/** A backstop for a server that accepts and does not answer; far more than is ever in flight. */
const MAX_QUEUED = 100_000

export function makeDriver(options: ResolvedOptions, events: DriverEvents): Driver {
  const { target } = options
  const common = {
    name: options.clientName,
    disableOfflineQueue: true,
    commandsQueueMaxLength: MAX_QUEUED,
  }
  // Ours end later than the command was written, its own before: see link.ts.
  const commandOptions = { timeout: 0 }
  const tracking = options.clientSideCache && {
    clientSideCache: {
      maxEntries: options.clientSideCache.maxEntries,
      ttl: options.clientSideCache.ttlMs,
      evictPolicy: 'LRU' as const,
    },
  }
  const socket = {
    connectTimeout: options.connectTimeoutMs,
    reconnectStrategy: (retries: number, cause: Error) =>
      events.isHopeless(cause)
        ? cause
        : Math.min(FIRST_PAUSE_MS * 2 ** retries, LONGEST_PAUSE_MS) * (0.75 + 0.25 * Math.random()),
  }
  switch (target.kind) {
    case 'single': {
      const client = createClient({
        ...common,
        ...tracking,
        ...nodeOptions(target.node, socket),
        commandOptions,
      })
      watch(client, events, ['error'], ['ready'])
      return driverOf(client, (_key, args) => (client as unknown as Sending).sendCommand(args, BINARY))
    }
    case 'cluster': {
      const client = createCluster({
        ...tracking,
        rootNodes: target.nodes.map(node => ({ ...common, ...access(target.access), ...nodeOptions(node, socket) })),
        defaults: { ...common, ...access(target.access), socket: { ...socket, ...tls(target.access) } },
        commandOptions,
      })
      watch(client, events, ['error', 'node-error', 'node-reconnecting'], ['node-ready'])
      return driverOf(client as unknown as Sending, (key, args) =>
        (client as unknown as Sending).sendCommand(key, false, args, BINARY),
      )
    }
    case 'sentinel': {
      const client = createSentinel({
        ...tracking,
        name: target.name,
        sentinelRootNodes: [...target.nodes],
        nodeClientOptions: { ...common, ...access(target.servers), socket: { ...socket, ...tls(target.servers) } },
        sentinelClientOptions: { ...access(target.watchers), socket: { ...socket, ...tls(target.watchers) } },
        // A failover is noticed by the connection that breaks; this is for one that nobody told us of.
        scanInterval: 5_000,
        passthroughClientErrorEvents: false,
        commandOptions,
      })
      watch(client, events, ['error', 'client-error', 'reconnecting'], ['ready', 'topology-change'])
      return driverOf(client as unknown as Sending, (_key, args) =>
        (client as unknown as Sending).sendCommand(false, args, BINARY),
      )
    }
  }
}

/** What the three have in common at run time; their types differ in all of it. */
interface Sending {
  readonly isReady: boolean
  connect(): Promise<unknown>
  close(): Promise<void>
  destroy(): void
  sendCommand(...args: unknown[]): Promise<unknown>
  subscribe(channel: string, listener: Listener, asBuffers: true): Promise<void>
  unsubscribe(channel: string, listener: Listener, asBuffers: true): Promise<void>
  sSubscribe?(channel: string, listener: Listener, asBuffers: true): Promise<void>
  sUnsubscribe?(channel: string, listener: Listener, asBuffers: true): Promise<void>
}

function driverOf(client: Sending, send: Driver['send']): Driver {
  return {
    client: client as unknown as AnyClient,
    get isReady() {
      return client.isReady
    },
    connect: async () => void (await client.connect()),
    send,
    subscribe: (channel, listener, sharded) =>
      sharded && client.sSubscribe
        ? client.sSubscribe(channel, listener, true)
        : client.subscribe(channel, listener, true),
    unsubscribe: (channel, listener, sharded) =>
      sharded && client.sUnsubscribe
        ? client.sUnsubscribe(channel, listener, true)
        : client.unsubscribe(channel, listener, true),
    close: () => client.close(),
    destroy: () => client.destroy(),
  }
}

function watch(
  client: { on(event: string, listener: (of: unknown) => void): unknown },
  events: DriverEvents,
  lost: readonly string[],
  ready: readonly string[],
): void {
  for (const event of lost) client.on(event, error => events.lost(error))
  for (const event of ready) client.on(event, () => events.ready())
}

function nodeOptions(node: NodeAddress, socket: object): object {
  return node.path === undefined ? { url: node.url, socket } : { socket: { ...socket, path: node.path, tls: false } }
}

function access({ username, password, database }: Access): object {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(database === undefined ? {} : { database }),
  }
}

function tls(of: Access): object {
  return of.tls ? { tls: true } : {}
}
