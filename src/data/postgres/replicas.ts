// Which replica a read goes to, and which are away: chosen by who is least busy, looked after in the background.
//
// A replica that fails is left alone from then on, so that it costs one caller one failure and not everybody the time of an attempt; a
// look every two seconds brings it back, and finds one that hangs without a word before many callers wait for it.
import { DatabaseUnavailableError } from './errors.ts'
import type { StartLog } from './log.ts'
import type { Supply } from './supply.ts'

const LOOK_EVERY_MS = 2000

// A replica that takes longer to say `select 1` is no help to anybody.
const ANSWERS_WITHIN_MS = 1000

interface Replica {
  readonly supply: Supply
  isAway: boolean
}

export class Replicas {
  readonly #replicas: readonly Replica[]
  readonly #log: StartLog | undefined
  readonly #timer: NodeJS.Timeout
  readonly #ended = new AbortController()

  constructor(supplies: readonly Supply[], log: StartLog | undefined) {
    this.#replicas = supplies.map(supply => ({ supply, isAway: false }))
    this.#log = log
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS).unref()
  }

  /** @returns the one with the fewest callers; undefined when all are away, and reads are for the primary */
  pick(): Supply | undefined {
    let best: Supply | undefined
    let fewest = Infinity
    for (const { supply, isAway } of this.#replicas) {
      if (isAway) continue
      const { open, idle, waiting } = supply.pool.state
      const callers = open - idle + waiting
      if (callers >= fewest) continue
      fewest = callers
      best = supply
    }
    return best
  }

  /** It has failed; nobody is sent there until it answers again. */
  lost(supply: Supply, error: DatabaseUnavailableError): void {
    const replica = this.#replicas.find(each => each.supply === supply)
    if (!replica || replica.isAway) return
    replica.isAway = true
    if (!this.#ended.signal.aborted)
      this.#log?.warn(`${error.message}; its reads go elsewhere until this replica answers again`)
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

  #look(): void {
    for (const replica of this.#replicas) void this.#lookAt(replica)
  }

  async #lookAt(replica: Replica): Promise<void> {
    const { supply } = replica
    const signal = AbortSignal.any([this.#ended.signal, AbortSignal.timeout(ANSWERS_WITHIN_MS)])
    try {
      // One that is busy answers others, or makes them wait: that is for their time-outs to say.
      if (!replica.isAway && supply.pool.state.waiting > 0) return
      const connection = await supply.pool.acquire(signal)
      try {
        await connection.run({ text: 'select 1', values: [] }, '', signal)
      } finally {
        supply.giveBack(connection)
      }
      if (replica.isAway) this.#log?.warn(`PostgreSQL at ${supply.options.where}: this replica answers again`)
      replica.isAway = false
    } catch (error) {
      if (this.#ended.signal.aborted) return
      const silent = new DatabaseUnavailableError(
        `PostgreSQL at ${supply.options.where}: no answer within ${ANSWERS_WITHIN_MS} ms`,
      )
      this.lost(supply, error instanceof DatabaseUnavailableError ? error : silent)
    }
  }
}
