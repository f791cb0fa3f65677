// Which replica a read goes to, and which are away or too far behind: chosen by who is least busy, looked after in the background.
//
// A replica that fails is left alone from then on, so that it costs one caller one failure and not everybody the time of an attempt; a
// look every two seconds brings it back, and finds one that hangs without a word before many callers wait for it.
import type { Connection } from './connection.ts'
import { DatabaseUnavailableError } from './errors.ts'
import type { StartLog } from './log.ts'
import type { PoolState } from './pool.ts'
import type { ReplicaLag } from './replica-lag.ts'
import type { Supply } from './supply.ts'

const LOOK_EVERY_MS = 2000

// A replica that takes longer to say `select 1` is no help to anybody.
const ANSWERS_WITHIN_MS = 1000

interface Replica {
  readonly supply: Supply
  isAway: boolean
  isBehind: boolean
}

export interface ReplicasOptions {
  readonly log: StartLog | undefined
  /** Where they may not be however far behind. */
  readonly lag?: { readonly primary: Supply; readonly of: ReplicaLag } | undefined
}

export class Replicas {
  readonly #replicas: readonly Replica[]
  readonly #options: ReplicasOptions
  readonly #timer: NodeJS.Timeout
  readonly #ended = new AbortController()

  constructor(supplies: readonly Supply[], options: ReplicasOptions) {
    // Until it is known how far they are, they are not read from.
    const isBehind = options.lag !== undefined
    this.#replicas = supplies.map(supply => ({ supply, isAway: false, isBehind }))
    this.#options = options
    this.#timer = setInterval(() => void this.#look(), LOOK_EVERY_MS).unref()
    if (isBehind) void this.#look()
  }

  /** @returns the one with the fewest callers; undefined when all are away or behind, and reads are for the primary */
  pick(): Supply | undefined {
    let best: Supply | undefined
    let fewest = Infinity
    for (const { supply, isAway, isBehind } of this.#replicas) {
      if (isAway || isBehind) continue
      const { open, idle, waiting } = supply.pool.state
      const callers = open - idle + waiting
      if (callers >= fewest) continue
      fewest = callers
      best = supply
    }
    return best
  }

  /** It has failed; nobody is sent there until it answers again. */
  lost(supply: Supply, error: Error): void {
    const replica = this.#replicas.find(each => each.supply === supply)
    if (!replica || replica.isAway) return
    replica.isAway = true
    this.#warn(`${error.message}; its reads go elsewhere until this replica answers again`)
  }

  /** A standby has at least the max_connections of its primary, or would not start: what fits there fits here. */
  resize(size: { readonly max: number; readonly maxWaiting: number }): void {
    for (const { supply } of this.#replicas) supply.pool.resize(size)
  }

  async close(withinMs: number): Promise<void> {
    clearInterval(this.#timer)
    this.#ended.abort()
    await Promise.all(this.#replicas.map(({ supply }) => supply.close(withinMs)))
  }

  async #look(): Promise<void> {
    const { lag } = this.#options
    // A primary that is away leaves everything as it is.
    if (lag) await this.#ask(lag.primary, (connection, signal) => lag.of.mark(connection, signal)).catch(() => {})
    await Promise.all(this.#replicas.map(replica => this.#lookAt(replica)))
  }

  async #lookAt(replica: Replica): Promise<void> {
    const { supply } = replica
    const { lag } = this.#options
    // One that is busy answers others, or makes them wait: that is for their time-outs to say.
    const isBusy = !replica.isAway && wouldWait(supply.pool.state)
    if (isBusy && !lag) return
    try {
      const lagMs = await this.#ask(supply, async (connection, signal) => {
        if (lag) return lag.of.of(connection, signal)
        await connection.run({ text: 'select 1', values: [] }, '', signal)
        return 0
      })
      if (replica.isAway) this.#warn(`PostgreSQL at ${supply.options.where}: this replica answers again`)
      replica.isAway = false
      this.#judge(replica, lagMs)
    } catch (error) {
      if (!isBusy) this.lost(supply, error as Error)
      // Who cannot be asked gets no more reads until he can.
      else if (!this.#ended.signal.aborted) replica.isBehind = true
    }
  }

  #judge(replica: Replica, lagMs: number): void {
    const { lag } = this.#options
    const isBehind = lag !== undefined && lagMs > lag.of.maxMs
    if (isBehind && !replica.isBehind)
      this.#warn(
        `PostgreSQL at ${replica.supply.options.where}: this replica is more than ${lag.of.maxMs / 1000} s behind; its reads go elsewhere until it ` +
          'has caught up',
      )
    replica.isBehind = isBehind
  }

  async #ask<T>(supply: Supply, question: (connection: Connection, signal: AbortSignal) => Promise<T>): Promise<T> {
    const late = AbortSignal.timeout(ANSWERS_WITHIN_MS)
    const signal = AbortSignal.any([this.#ended.signal, late])
    try {
      const connection = await supply.pool.acquire(signal)
      try {
        return await question(connection, signal)
      } finally {
        supply.giveBack(connection)
      }
    } catch (error) {
      if (!late.aborted) throw error
      throw new DatabaseUnavailableError(
        `PostgreSQL at ${supply.options.where}: no answer within ${ANSWERS_WITHIN_MS} ms`,
        { cause: error },
      )
    }
  }

  #warn(message: string): void {
    if (!this.#ended.signal.aborted) this.#options.log?.warn(message)
  }
}

function wouldWait({ open, idle, waiting, max }: PoolState): boolean {
  return waiting > 0 || (idle === 0 && open >= max)
}
