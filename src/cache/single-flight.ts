// One load per key at a time, however many ask for it: the first to ask starts a flight, the others board it.
//
// The life of a flight: started, boarded by callers, landed with a value or an error. Four things end it early.
//   overdue     its load took longer than it may: its signal aborts, and those on board get a DeadlineError
//   deserted    the last caller has gone: its signal aborts, and the next to ask starts afresh
//   grounded    what it read was invalidated meanwhile: those on board get their answer, which was true when they asked, but
//               nobody new may board, and what it brings is not kept
//   closed      something was invalidated and only the value can tell whether it is concerned: nobody new may board, and what
//               it brings is kept only if its tags turn out not to be among those, and no newer flight has started

import { DeadlineError } from '../core/deadline.ts'
import { isThenable } from '../core/thenable.ts'

export type Load<T> = (of: { readonly signal: AbortSignal }) => T | Promise<T>

export interface Landing<T> {
  /** Runs before anyone on board hears of it; what it throws becomes the flight's error. */
  readonly arrived: (flight: Flight, value: T) => void
  readonly failed: (flight: Flight, error: unknown) => void
}

/** A flight that saw more tags invalidated than this is grounded: remembering them all would cost more than loading again. */
const LATE_TAGS = 1_000

export class Flight {
  readonly key: string
  /** Settles when the load does, whoever is still waiting. */
  readonly landed: Promise<unknown>
  /** What its value will be tagged with; undefined when only the value can tell. */
  readonly #tags: readonly string[] | undefined
  readonly #controller = new AbortController()
  readonly #close: (flight: Flight) => void
  /** Callers waiting for it. Those without a signal never go. */
  #aboard = 0
  /** What it brought is past its ttl, as another process has it. Written by who lands it. */
  isStale = false
  #grounded = false
  #deserted = false
  /** Tags invalidated while our own were unknown. */
  #late: Set<string> | undefined

  /** @param close  called when nobody may board any more */
  constructor(
    key: string,
    tags: readonly string[] | undefined,
    fly: (flight: Flight, signal: AbortSignal) => Promise<unknown>,
    close: (flight: Flight) => void,
  ) {
    this.key = key
    this.#tags = tags
    this.#close = close
    this.landed = fly(this, this.#controller.signal)
    // A failed flight may have nobody on board: a background reload, or callers who all left.
    this.landed.catch(() => {})
  }

  /** Everybody left before it landed. */
  get deserted(): boolean {
    return this.#deserted
  }

  /** Whether a value with these tags is still true as far as anyone has said. */
  mayKeep(tags: readonly string[]): boolean {
    return !this.#grounded && !(this.#late !== undefined && tags.some(tag => this.#late!.has(tag)))
  }

  /**
   * Waits for it to land.
   *
   * @throws the load's error, or the reason of `signal` if that aborts first; the flight goes on for the others
   */
  board(signal: AbortSignal | undefined): Promise<unknown> {
    this.#aboard++
    if (signal === undefined) return this.landed
    return new Promise((resolve, reject) => {
      const gone = () => {
        reject(signal.reason)
        if (--this.#aboard > 0) return
        this.ground()
        this.#deserted = true
        this.#controller.abort(signal.reason)
      }
      signal.addEventListener('abort', gone, { once: true })
      const stay = () => signal.removeEventListener('abort', gone)
      this.landed.then(resolve, reject).then(stay, stay)
    })
  }

  ground(): void {
    this.#grounded = true
    this.#close(this)
  }

  /** The value, or a rejection after `timeoutMs`, with which the load's signal aborts. */
  within<T>(timeoutMs: number, loading: PromiseLike<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const passed = () => {
        const error = new DeadlineError(`a load for a cache gave no value within ${timeoutMs} ms`)
        reject(error)
        this.#controller.abort(error)
      }
      const timer = setTimeout(passed, timeoutMs).unref()
      loading.then(resolve, reject).then(() => clearTimeout(timer))
    })
  }

  invalidate(tags: readonly string[]): void {
    if (this.#tags !== undefined) {
      if (this.#tags.some(tag => tags.includes(tag))) this.ground()
      return
    }
    this.#late ??= new Set()
    for (const tag of tags) this.#late.add(tag)
    if (this.#late.size > LATE_TAGS) this.ground()
    else this.#close(this)
  }
}

export class SingleFlight {
  /** Those that may be boarded, by key. */
  readonly #boarding = new Map<string, Flight>()
  /** Those and the closed ones that have not landed. */
  readonly #flying = new Set<Flight>()

  find(key: string): Flight | undefined {
    return this.#boarding.get(key)
  }

  /**
   * Starts a flight; there must be none to board for the key.
   *
   * @param tags  of the value, if known before it is
   * @param load  runs now; what it throws or rejects with is the flight's end
   * @param timeoutMs  what it takes at most; Infinity for no bound
   */
  start<T>(
    key: string,
    tags: readonly string[] | undefined,
    load: Load<T>,
    landing: Landing<T>,
    timeoutMs = Infinity,
  ): Flight {
    // A closed flight of this key must not overwrite what the new one brings. There are rarely any.
    if (this.#flying.size > this.#boarding.size) this.ground(key)
    const flight = new Flight(
      key,
      tags,
      async (flight, signal) => {
        try {
          const loading = load({ signal })
          const isBounded = timeoutMs !== Infinity && isThenable(loading)
          const value = await (isBounded ? flight.within(timeoutMs, loading) : loading)
          this.#land(flight)
          landing.arrived(flight, value)
          return value
        } catch (error) {
          await Promise.resolve() // a load that throws at once has us here before the flight is on the board
          this.#land(flight)
          landing.failed(flight, error)
          throw error
        }
      },
      flight => this.#close(flight),
    )
    this.#boarding.set(key, flight)
    this.#flying.add(flight)
    return flight
  }

  ground(key: string): void {
    for (const flight of this.#flying) if (flight.key === key) flight.ground()
  }

  groundAll(): void {
    for (const flight of this.#flying) flight.ground()
  }

  invalidate(tags: readonly string[]): void {
    for (const flight of this.#flying) flight.invalidate(tags)
  }

  #close(flight: Flight): void {
    if (this.#boarding.get(flight.key) === flight) this.#boarding.delete(flight.key)
  }

  #land(flight: Flight): void {
    this.#close(flight)
    this.#flying.delete(flight)
  }
}
