// A Redis as handlers use it: all commands of `@redis/client`, each within a time-out and a signal, and nothing that hangs while Redis is away.
import type { RedisClient, RedisClientType } from '@redis/client'
import { Channels } from './channels.ts'
import type { AnyClient } from './driver.ts'
import { boundOf, Link, type Bound, type CommandBounds, type LinkLog } from './link.ts'
import type { ResolvedOptions } from './options.ts'
import { RunningScript, type Script } from './script.ts'

/** What the driver's client has besides commands is for us to call, or goes past the bounds; but batches and walks are for everybody. */
type Batches = 'multi' | 'MULTI'
type Walks =
  'scanIterator' | 'hScanIterator' | 'hScanValuesIterator' | 'hScanNoValuesIterator' | 'sScanIterator' | 'zScanIterator'
type CommandNames = Exclude<keyof RedisClientType, keyof RedisClient<{}, {}, {}, 3, {}>> | Batches

/**
 * `get`, `set`, `hGetAll`, `multi` and all others, as `@redis/client` has them. In a cluster the keys of one command lie on one node, and there are
 * no iterators. Iterators are bounded by nothing but the driver.
 */
export type RedisCommands = Pick<RedisClientType, CommandNames> & {
  [N in Walks]: OmitThisParameter<RedisClientType[N]>
}

/** Counts since it was opened. */
export interface RedisStats {
  readonly timeouts: number
  /** Commands that failed at once because Redis was away. */
  readonly refused: number
  /** How often Redis went away. */
  readonly losses: number
}

export class Redis {
  readonly #link: Link
  readonly #channels: Channels
  /** `redis.commands.get('key')`, with the time-out of the options. */
  readonly commands: RedisCommands

  /** Use `redis()` or `connectRedis()`. */
  constructor(options: ResolvedOptions, log: LinkLog) {
    this.#link = new Link(options, log)
    this.#channels = new Channels(options, {
      failed: (channel, error) =>
        log.warn(`A listener of the channel ${channel} threw: ${error instanceof Error ? error.stack : String(error)}`),
    })
    this.commands = this.with({})
  }

  /** Whether commands are sent; while it is false they fail at once. */
  get isReachable(): boolean {
    return this.#link.isReachable
  }

  get stats(): RedisStats {
    return { ...this.#link.counts }
  }

  /**
   * The client of `@redis/client` itself, for what the commands here leave out: no time-outs, no errors of ours. Ask for it when needed: another
   * one takes its place when its connection is dead.
   */
  get client(): AnyClient {
    return this.#link.driver.client
  }

  /**
   * The commands, bounded: `await redis.with({ signal }).get('key')`.
   *
   * Each rejects with RedisUnavailableError at once while Redis is away, RedisTimeoutError, RedisFullError, RedisReplyError, or the signal's reason.
   */
  with(bounds: CommandBounds): RedisCommands {
    return boundCommands(this.#link, boundOf(bounds))
  }

  /**
   * A command as its words: for what the driver does not know. Texts come back as Buffers.
   *
   * @param of.key  the key that decides which node of a cluster is asked
   */
  send(
    words: readonly [string, ...(string | Buffer)[]],
    of: CommandBounds & { readonly key?: string } = {},
  ): Promise<unknown> {
    const { key = '' } = of
    return this.#link.run(words[0], driver => driver.send(key, words), boundOf(of))
  }

  /**
   * Runs a script by its digest; its text goes over the wire once, or again when the server has forgotten it.
   *
   * @param keys  all keys that it touches, by the names that the script gave them
   */
  run<K extends string, A extends string, R>(
    script: Script<K, A, R>,
    of: {
      readonly keys: Readonly<Record<K, string>>
      readonly args: Readonly<Record<A, string | number | Buffer>>
    } & CommandBounds,
  ): Promise<R> {
    return RunningScript.of(script).run(this.#link, of)
  }

  /**
   * Hears a channel from when the promise resolves, over a connection of its own. After an outage it hears again by itself; what was
   * published meanwhile is lost, which is Redis's way. What a listener throws is logged.
   *
   * @returns the function that ends it
   */
  subscribe(channel: string, listener: (message: string, channel: string) => unknown): Promise<() => Promise<void>> {
    return this.#channels.subscribe(channel, (message, from) => listener(message.toString(), from))
  }

  /** @param signal  ends the waiting for a Redis that does not answer */
  async open(signal?: AbortSignal): Promise<void> {
    await this.#link.open(signal)
  }

  /** Ends it; commands on their way are waited for, `withinMs` at most. */
  async close(withinMs = 1_000): Promise<void> {
    await Promise.all([this.#channels.close(), this.#link.close(withinMs)])
  }
}

type Command = (...args: unknown[]) => unknown

/** Every function of the client, in the bounds; one Proxy for whoever asks, one closure for each command that is used. */
function boundCommands(link: Link, bound: Bound): RedisCommands {
  const made = new Map<string | symbol, unknown>()
  return new Proxy({} as RedisCommands, {
    get(_target, name) {
      const known = made.get(name)
      if (known !== undefined) return known
      if (!isCommand(link.driver.client, name)) return undefined
      const command = (...args: unknown[]) => {
        const client = link.driver.client as unknown as Record<string | symbol, Command>
        if (name === 'multi' || name === 'MULTI') return boundBatch(link, bound, client[name]!(...args) as object)
        if (String(name).endsWith('Iterator')) return client[name]!(...args)
        return link.run(String(name).toUpperCase(), () => client[name]!(...args) as Promise<unknown>, bound)
      }
      made.set(name, command)
      return command
    },
  })
}

const BESIDES = /^(?:multi|MULTI|[hsz]?[sS]can\w*Iterator)$/

/** The driver makes a class with the commands, and nothing else, below the one with everything else. */
function isCommand(client: object, name: string | symbol): boolean {
  if (typeof name !== 'string' || typeof (client as Record<string, unknown>)[name] !== 'function') return false
  if (BESIDES.test(name)) return true
  let owner: object | null = client
  while (owner !== null && !Object.hasOwn(owner, name)) owner = Object.getPrototypeOf(owner) as object | null
  return owner !== null && Object.hasOwn(owner, 'GET') && name !== 'constructor'
}

/** What `multi()` builds: its words go on building, `exec` and its like are bounded. */
function boundBatch(link: Link, bound: Bound, batch: object): object {
  const proxy: object = new Proxy(batch, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      if (String(name).startsWith('exec'))
        return (...args: unknown[]) =>
          link.run('MULTI', () => (value as Command).apply(target, args) as Promise<unknown>, bound)
      return (...args: unknown[]) => {
        const built = (value as Command).apply(target, args)
        return built === target ? proxy : built
      }
    },
  })
  return proxy
}
