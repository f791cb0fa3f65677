// Many lookups by key, one load: what is asked for in one turn of the event loop is loaded together.
//
// The life of a batch: begun by the first key asked for -> joined by every other until the turn's end, the same key once -> loaded, at the end
// of the turn or as soon as it is full -> each caller gets the value of its key, undefined where there is none, or that key's own error.
// A caller whose signal aborts leaves alone. A key that everybody has left is not asked for; a load that everybody has left is aborted.
import { badLimit, badBatch } from './errors.ts'

/** What was found: by key, or in the order of the keys; an Error is the answer for its key alone. */
export type Found<K, V> = ReadonlyMap<K, V | Error> | readonly (V | Error | undefined)[]

export type LoadBatch<K, V> = (
  keys: readonly K[],
  of: { readonly signal: AbortSignal },
) => Found<K, V> | Promise<Found<K, V>>

export interface BatchOptions {
  /** Keys in one load at most; further ones are in the next. Default 1000. */
  readonly maxKeys?: number | undefined
}

export interface Wanted {
  /** Ends this caller's wait, and the load's if nobody else waits for it. */
  readonly signal?: AbortSignal | undefined
}

// A text of a thousand keys is some 10 kB; PostgreSQL looks up each in about a microsecond.
const MAX_KEYS = 1000

/**
 * ```ts
 * const prices = batch<string, number>(async (codes, { signal }) => new Map(await fetchPrices(codes, { signal })))
 * const price = await prices.load('EUR')
 * ```
 *
 * Made once for a worker it joins the lookups of all requests; made for each request, those of one.
 *
 * @throws UsageError `CACHE_BAD_LIMIT`
 */
export function batch<K, V>(load: LoadBatch<K, V>, options: BatchOptions = {}): Batch<K, V> {
  return new Batch(load, options)
}

/** `Missing` is what a key without a value gives. */
export class Batch<K, V, Missing = undefined> {
  readonly #load: LoadBatch<K, V>
  readonly #maxKeys: number
  #open: OpenBatch<K, V> | undefined

  constructor(load: LoadBatch<K, V>, options: BatchOptions) {
    const { maxKeys = MAX_KEYS } = options
    if (!(maxKeys >= 1)) throw badLimit('maxKeys', maxKeys)
    this.#load = load
    this.#maxKeys = maxKeys
  }

  /**
   * @returns the value of the key, or undefined where the load found none
   * @throws the key's error, the load's, or the signal's reason; UsageError `CACHE_BAD_BATCH` when the load gave something else
   */
  load(key: K, wanted?: Wanted): Promise<V | Missing> {
    const signal = wanted?.signal
    if (signal?.aborted) return Promise.reject(signal.reason as Error)
    let open = this.#open
    if (open === undefined) {
      open = this.#open = new OpenBatch<K, V>()
      setImmediate(this.#run, open)
    }
    const asked = open.ask(key)
    const answer = signal ? open.board(asked, signal) : asked.stay()
    if (open.size >= this.#maxKeys) this.#run(open)
    return answer as Promise<V | Missing>
  }

  /** Several, in the order of the keys. */
  loadMany(keys: readonly K[], wanted?: Wanted): Promise<(V | Missing)[]> {
    return Promise.all(keys.map(key => this.load(key, wanted)))
  }

  readonly #run = (open: OpenBatch<K, V>): void => {
    if (this.#open === open) this.#open = undefined
    open.run(this.#load)
  }
}

class OpenBatch<K, V> {
  readonly #asked = new Map<K, Asked<V>>()
  #isRunning = false
  #controller: AbortController | undefined
  #leaving = 0

  get size(): number {
    return this.#asked.size
  }

  ask(key: K): Asked<V> {
    let asked = this.#asked.get(key)
    if (asked === undefined) this.#asked.set(key, (asked = new Asked()))
    return asked
  }

  board(asked: Asked<V>, signal: AbortSignal): Promise<V | undefined> {
    const answer = asked.stay()
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        reject(signal.reason)
        if (asked.leave()) this.#left()
      }
      signal.addEventListener('abort', onAbort, { once: true })
      answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
    })
  }

  run(load: LoadBatch<K, V>): void {
    if (this.#isRunning) return // full before the turn's end
    this.#isRunning = true
    for (const [key, asked] of this.#asked) if (asked.isLeft) this.#asked.delete(key)
    if (this.#asked.size > 0) void this.#settle(load)
  }

  async #settle(load: LoadBatch<K, V>): Promise<void> {
    const keys = [...this.#asked.keys()]
    try {
      const found = await load(keys, this)
      if (Array.isArray(found)) {
        if (found.length !== keys.length) throw badBatch(`${found.length} values for ${keys.length} keys`)
        let at = 0
        for (const asked of this.#asked.values()) asked.settle((found as readonly (V | Error | undefined)[])[at++])
      } else if (found instanceof Map) {
        for (const [key, asked] of this.#asked) asked.settle((found as ReadonlyMap<K, V | Error>).get(key))
      } else throw badBatch(`a ${typeof found}`)
    } catch (error) {
      for (const asked of this.#asked.values()) asked.reject(error)
    }
  }

  /** Made only for a load that looks at it. */
  get signal(): AbortSignal {
    return (this.#controller ??= new AbortController()).signal
  }

  #left(): void {
    if (!this.#isRunning || ++this.#leaving < this.#asked.size) return
    ;(this.#controller ??= new AbortController()).abort()
  }
}

/** One key, and those who wait for it. */
class Asked<V> {
  readonly #answer = Promise.withResolvers<V | undefined>()
  #aboard = 0

  stay(): Promise<V | undefined> {
    this.#aboard++
    return this.#answer.promise
  }

  /** @returns whether that was the last */
  leave(): boolean {
    return --this.#aboard === 0
  }

  get isLeft(): boolean {
    return this.#aboard === 0
  }

  settle(value: V | Error | undefined): void {
    if (value instanceof Error) this.#answer.reject(value)
    else this.#answer.resolve(value)
  }

  reject(error: unknown): void {
    this.#answer.reject(error)
  }
}
