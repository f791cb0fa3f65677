// Where this code runs: alone in its process, or as one worker of several under a supervisor.
//
// Parts that have to reach their siblings (a cache that invalidates, a database that must be started once) speak to the Host and
// never learn that a supervisor exists. In-process by default; server/worker provides the other one before the app is loaded.
import { CounterTable } from './counter-table.ts'
import { Leadership, type LeaderTask } from './leadership.ts'

/** A server that the app needs started once for all workers, as data, so that a supervisor can start it without user code. */
export interface ServiceSpec {
  /** One of ours, e.g. 'embedded-postgres'. Two specs with the same name and key are one service. */
  readonly name: string
  readonly key: string
  /** Module of Millrace that exports `start(options): Promise<RunningService>`; an absolute file URL. */
  readonly module: string
  /** Plain JSON. */
  readonly options: Readonly<Record<string, unknown>>
}

export interface RunningService {
  /** Plain JSON: what workers need in order to use it (a socket folder, a port, a password). */
  readonly address: Readonly<Record<string, unknown>>
  /** Ends the service for good; resolves when its processes are gone. */
  stop(): Promise<void>
}

/**
 * How many processes there are at most that run this app: what they share, such as the connections that a database has, must do for all of
 * them.
 */
export interface Extent {
  /** On this host at their most. */
  readonly workers: number
  /** Workers beyond these while one takes another's place. */
  readonly surge: number
  /** Hosts that run as many each: the setting `replicas`. */
  readonly hosts: number
}

/** Heard on this channel, in this process alone, when `extent` has changed. */
export const EXTENT_CHANGED = 'millrace:extent'

/** Told when the host drains: no new work, finish yours within `graceMs` from now. */
export type Drain = (graceMs: number) => void | Promise<void>

export interface Answers {
  /** What the responders returned, in no order. */
  readonly answers: readonly unknown[]
  /** Workers that did not answer in time, or whose responder failed. */
  readonly silent: readonly number[]
}

export interface Host {
  /** 1 and up under a supervisor; 0 when alone. */
  readonly worker: number
  /** How many workers are wanted now; 1 when alone. */
  readonly workers: number
  readonly extent: Extent
  /** A statement to a database that takes longer is logged, unless its pool says otherwise; Infinity: none is. */
  readonly slowQueryMs: number
  /** Sends to every live worker's subscribers, our own included. Plain JSON; no answer, no order across senders. */
  publish(channel: string, message: unknown): void
  /** @returns the function that ends the subscription */
  subscribe(channel: string, listener: (message: unknown) => void): () => void
  /**
   * Sends to every live worker, our own included, and resolves when each has run its responders for the channel to the end, or
   * after the timeout. A worker that starts meanwhile gets the message before its first request.
   */
  request(channel: string, message: unknown, timeoutMs: number): Promise<Answers>
  respond(channel: string, responder: (message: unknown) => unknown): () => void
  /**
   * Runs in one process of all at a time: when this one leads, and no other does any more. Handles its own errors.
   *
   * @returns the function that takes it back, and resolves when it has ended
   */
  lead(task: LeaderTask): () => Promise<void>
  /** Adds to a count that all share; `lifeMs` after the first it starts anew. @param by  0 to look. @returns the count with it */
  count(name: string, by: number, lifeMs: number): Promise<number>
  /** Runs in reverse order of registration once, after in-flight requests are done. */
  onDrain(name: string, drain: Drain): void
  /** The address of a service that was started once; starts it in this process when alone. */
  service(spec: ServiceSpec): Promise<Readonly<Record<string, unknown>>>
}

// 500 ms: long enough that a page is felt to be slow, short enough to be seen before its time-out.
export const DEFAULT_SLOW_QUERY_MS = 500

/** A host for a process on its own: messages loop back, services start here, `drain` runs what was registered. */
export class LocalHost implements Host {
  readonly worker: number = 0
  readonly workers: number = 1
  extent: Extent = { workers: 1, surge: 0, hosts: 1 }
  slowQueryMs = DEFAULT_SLOW_QUERY_MS
  readonly #listeners = new Map<string, Set<(message: unknown) => void>>()
  readonly #responders = new Map<string, Set<(message: unknown) => unknown>>()
  readonly #drains: { name: string; drain: Drain }[] = []
  readonly #services = new Map<string, Promise<RunningService>>()
  readonly #leadership = new Leadership()
  readonly #counts = new CounterTable()

  publish(channel: string, message: unknown): void {
    for (const listener of this.#listeners.get(channel) ?? []) listener(message)
  }

  subscribe(channel: string, listener: (message: unknown) => void): () => void {
    return register(this.#listeners, channel, listener)
  }

  async request(channel: string, message: unknown, timeoutMs: number): Promise<Answers> {
    const answers = await this.respondAll(channel, message, timeoutMs)
    return answers === undefined ? { answers: [], silent: [this.worker] } : { answers, silent: [] }
  }

  /** @returns what this process's responders said; undefined when one failed or took longer than `timeoutMs` */
  async respondAll(channel: string, message: unknown, timeoutMs: number): Promise<readonly unknown[] | undefined> {
    const responders = [...(this.#responders.get(channel) ?? [])]
    if (responders.length === 0) return []
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<undefined>(resolve => (timer = setTimeout(() => resolve(undefined), timeoutMs)))
    const all = Promise.all(responders.map(async responder => responder(message)))
    try {
      return await Promise.race([all, late])
    } catch {
      return undefined
    } finally {
      clearTimeout(timer)
    }
  }

  respond(channel: string, responder: (message: unknown) => unknown): () => void {
    return register(this.#responders, channel, responder)
  }

  /** Alone, one leads as soon as there is something to lead. */
  lead(task: LeaderTask): () => Promise<void> {
    this.#leadership.lead()
    return this.#leadership.add(task)
  }

  count(name: string, by: number, lifeMs: number): Promise<number> {
    return Promise.resolve(this.#counts.add(name, by, lifeMs))
  }

  onDrain(name: string, drain: Drain): void {
    this.#drains.push({ name, drain })
  }

  async service(spec: ServiceSpec): Promise<Readonly<Record<string, unknown>>> {
    const id = `${spec.name} ${spec.key}`
    let running = this.#services.get(id)
    if (!running) {
      running = import(spec.module).then((module: { start(options: unknown): Promise<RunningService> }) =>
        module.start(spec.options),
      )
      running.catch(() => this.#services.delete(id))
      this.#services.set(id, running)
    }
    return (await running).address
  }

  /** @returns what went wrong, by the name it was registered under; the others still ran */
  async drain(graceMs: number): Promise<readonly { name: string; error: unknown }[]> {
    const failed: { name: string; error: unknown }[] = []
    for (const { name, drain } of this.#drains.splice(0).reverse()) {
      try {
        await drain(graceMs)
      } catch (error) {
        failed.push({ name, error })
      }
    }
    for (const [id, running] of this.#services) {
      this.#services.delete(id)
      try {
        await (await running).stop()
      } catch (error) {
        failed.push({ name: id, error })
      }
    }
    return failed
  }
}

function register<T>(map: Map<string, Set<T>>, key: string, value: T): () => void {
  const set = map.get(key) ?? new Set()
  map.set(key, set.add(value))
  return () => {
    set.delete(value)
    if (set.size === 0 && map.get(key) === set) map.delete(key)
  }
}

const declared: ServiceSpec[] = []

/** Said while the app is being loaded, so that a supervisor can start the service before the first worker. */
export function declareService(spec: ServiceSpec): void {
  if (!declared.some(other => other.name === spec.name && other.key === spec.key)) declared.push(spec)
}

export function declaredServices(): readonly ServiceSpec[] {
  return declared
}

/** A pool of connections that every worker opens, as data: whoever shares the server with it counts it. */
export interface PoolSpec {
  readonly store: 'postgres'
  /** Pools of one server share its connections. */
  readonly server: string
  /** Connections at most; undefined: as many as fit. */
  readonly size: number | undefined
  /** Connections of the server that are left for other programs. */
  readonly others: number
  /** Plain JSON: how it is reached, passwords included. Not to be printed. */
  readonly options: Readonly<Record<string, unknown>>
}

const pools: PoolSpec[] = []

/** Said while the app is being loaded, as with services. */
export function declarePool(spec: PoolSpec): void {
  pools.push(spec)
}

export function declaredPools(): readonly PoolSpec[] {
  return pools
}

let current: Host = new LocalHost()

/** The host of this process. Ask when needed, never keep it in a module constant: a worker provides its own at start. */
export function host(): Host {
  return current
}

/** Called once by server/worker before the app is loaded, and by tests. @returns the host that was there before */
export function provideHost(next: Host): Host {
  const before = current
  current = next
  return before
}
