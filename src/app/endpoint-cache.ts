// `cache:` on an endpoint: finished answers kept by their inputs, so that a hit runs neither dependencies nor handler nor serializer.
import type { Cache, CachePolicy } from '../cache/cache.ts'
import { UsageError } from '../core/error.ts'
import { milliseconds } from '../core/duration.ts'
import type { Exchange } from '../http/exchange.ts'
import type { FieldList, PreparedHead } from '../http/prepared-head.ts'
import { type Answer, BadAnswerError, discard, LateAnswer } from './answer.ts'
import { contentKindOf } from './content-kind.ts'
import { FinishedAnswer } from './finished-answer.ts'
import { HttpError } from './http-error.ts'
import { HeldAnswer } from './held-answer.ts'
import type { Inputs } from './input.ts'
import { type ErrorFormat, problemAnswer } from './problem.ts'
import { statusMap } from './responder.ts'
import type { MountedRoute } from './route.ts'

const UNCACHED: CachePolicy = { ttl: 0 }
// As many texts as the cache has entries by default. Forgetting one costs a decoding, no load. Longer ones are not remembered: clients
// make them up, and 10,000 of 8 KiB are 80 MB for each route.
const MAX_KNOWN_TEXTS = 10_000
const LONGEST_KNOWN_TEXT = 512

export class EndpointCache {
  readonly #cache: Cache
  readonly #name: string
  readonly #policy: {
    readonly ttl: number
    readonly staleFor: number
    readonly staleIfError: number
    readonly earlyRefresh: boolean
  }
  /** Of what is not there: 404 and 410. 0: they are not kept. */
  readonly #negativeTtlMs: number
  readonly #saysHow: boolean
  readonly #format: ErrorFormat
  readonly #tags: (inputs: Inputs) => readonly string[]
  /** Each host of the pattern has answers of its own. */
  readonly #isHosted: boolean
  /** Those that are in the key. */
  readonly #headerNames: ReadonlySet<string>
  /** Request texts to their keys, where path and query are all that is declared: a hit then decodes nothing. */
  readonly #known: Map<string, string> | undefined

  /** @throws UsageError `APP_CACHE` for a route whose answers are not the same for everybody who asks with the same inputs */
  constructor(
    cache: Cache,
    route: MountedRoute,
    makesPerRequest: readonly string[],
    headerNames: readonly string[],
    format: ErrorFormat,
  ) {
    const { method, spec } = route.endpoint
    const policy = spec.cache!
    if (method !== 'GET') throw new UsageError('APP_CACHE', `${route.name}: only a GET can be cached`)
    if ((spec.body ?? spec.form ?? spec.files) !== undefined)
      throw new UsageError(
        'APP_CACHE',
        `${route.name}: a body is no part of what an answer is kept under; take a query`,
      )
    for (const schema of Object.values(statusMap(spec.returns) ?? {}))
      if (schema !== null && contentKindOf(schema)?.form === 'items')
        throw new UsageError('APP_CACHE', `${route.name}: a stream is made anew for each client; leave out cache`)
    if (makesPerRequest.length > 0)
      throw new UsageError(
        'APP_CACHE',
        `${route.name}: a cached answer is the same for everybody, and this route uses ${makesPerRequest.join(', ')}, made for each request; ` +
          'use worker-scoped dependencies, or cache.get() inside the handler',
      )
    this.#cache = cache
    this.#name = route.name
    const { staleFor = 0, staleIfError = staleFor, negativeTtl = 0, earlyRefresh = true, xCache = false } = policy
    this.#policy = {
      ttl: milliseconds(policy.ttl, `${route.name} cache ttl`),
      staleFor: milliseconds(staleFor, `${route.name} cache staleFor`),
      staleIfError: milliseconds(staleIfError, `${route.name} cache staleIfError`),
      earlyRefresh,
    }
    this.#negativeTtlMs = milliseconds(negativeTtl, `${route.name} cache negativeTtl`)
    this.#saysHow = xCache
    this.#format = format
    this.#headerNames = new Set(headerNames)
    this.#isHosted = route.host !== undefined
    this.#known = spec.headers || spec.cookies || this.#isHosted ? undefined : new Map()
    const { tags } = policy
    this.#tags = typeof tags === 'function' ? inputs => tags(inputs as { params: any; query: any }) : () => tags ?? []
  }

  /** Answers to Authorization are never kept. */
  applies(exchange: Exchange): boolean {
    return !exchange.fields.has('authorization')
  }

  /** The fresh answer to a request whose text has been seen before, without decoding it. @throws HttpError 412 and 416 */
  recall(exchange: Exchange): Answer | undefined {
    const key = this.#known?.get(requestText(exchange))
    // The request has just begun: its clock is the time.
    return key === undefined ? undefined : this.#peek(exchange, key, exchange.record.startedMs)
  }

  /** A fresh answer to requests of this text; undefined where there is none, and where each needs more than sending. */
  hold(requestText: string, nowMs: number, pattern: string): HeldAnswer | undefined {
    const key = this.#saysHow ? undefined : this.#known?.get(requestText)
    if (key === undefined) return undefined
    return this.#cache.hold(key, nowMs, value => {
      const finished = value as FinishedAnswer
      return finished.error === undefined ? new HeldAnswer(finished, this.#cache, key, pattern) : undefined
    })
  }

  /** The fresh answer for these inputs, or the key to load it under. */
  find(exchange: Exchange, inputs: Inputs): Answer | string {
    const key = this.#isHosted ? `${exchange.authority} ${this.#key(inputs)}` : this.#key(inputs)
    const known = this.#known && requestText(exchange)
    if (known !== undefined && known.length <= LONGEST_KNOWN_TEXT) {
      if (this.#known!.size >= MAX_KNOWN_TEXTS) this.#known!.clear()
      this.#known!.set(known, key)
    }
    return this.#peek(exchange, key) ?? key
  }

  /**
   * Built from what was declared and decoded, so that unknown query parameters cannot fill the cache with copies.
   *
   * @throws UsageError `APP_CACHE` for an input that JSON cannot tell from another
   */
  #key(inputs: Inputs): string {
    const { params, query, headers, cookies } = inputs
    return `${this.#name} ${JSON.stringify([params, query, headers, cookies], stable)}`
  }

  #peek(exchange: Exchange, key: string, nowMs?: number): Answer | undefined {
    const finished = this.#cache.recall(key, nowMs) as FinishedAnswer | undefined
    return finished?.answerTo(exchange, this.#saysHow ? HIT : undefined)
  }

  /**
   * The answer from the cache, or from one `load` however many ask. `load` gets a signal that aborts only when all who wait have gone.
   * Only complete 2xx answers are kept, and where the policy says so that there is nothing. One with Set-Cookie, with Cache-Control private or
   * no-store, or with a Vary that names what is no declared header is for whoever started its load; those who waited for it run their own.
   *
   * @throws what `load` throws; HttpError 412 and 416
   */
  async get(
    exchange: Exchange,
    key: string,
    inputs: Inputs,
    load: (signal: AbortSignal) => Promise<Answer>,
    signal: AbortSignal,
  ): Promise<Answer> {
    let isOurs = false
    let kept: FieldList | undefined
    let finished: FinishedAnswer
    try {
      finished = await this.#cache.get<FinishedAnswer>(
        key,
        async ({ signal }) => {
          isOurs = true
          const finished = finish(await this.#loaded(load, signal))
          if (finished.head.status >= 500) throw new FailedAnswer(finished)
          return finished
        },
        finished => this.#policyOf(finished, inputs),
        { signal, onFresh: () => (kept = HIT), onStale: () => (kept = STALE) },
      )
    } catch (error) {
      if (!(error instanceof FailedAnswer)) throw error
      finished = error.finished
    }
    if (!isOurs && isPersonal(finished.head, this.#headerNames)) return load(signal)
    return finished.answerTo(exchange, this.#saysHow ? (kept ?? (isOurs ? MISS : HIT)) : undefined)
  }

  /** Where it may be kept that there is nothing, an error that says so is an answer. */
  async #loaded(load: (signal: AbortSignal) => Promise<Answer>, signal: AbortSignal): Promise<Answer> {
    try {
      return await load(signal)
    } catch (error) {
      if (this.#negativeTtlMs > 0 && error instanceof HttpError && isAbsent(error.status))
        return problemAnswer(error, this.#format)
      throw error
    }
  }

  #policyOf({ head }: FinishedAnswer, inputs: Inputs): CachePolicy {
    if (isPersonal(head, this.#headerNames)) return UNCACHED
    if (isAbsent(head.status))
      return { ttl: this.#negativeTtlMs, earlyRefresh: this.#policy.earlyRefresh, tags: this.#tags(inputs) }
    // 206 is a part, by a header that the key may not hold.
    const isWhole = head.status >= 200 && head.status <= 299 && head.status !== 206
    return isWhole ? { ...this.#policy, tags: this.#tags(inputs) } : UNCACHED
  }
}

/** A 5xx that the handler has returned: a failure like one that it throws, where an older answer may be given. */
class FailedAnswer extends Error {
  readonly finished: FinishedAnswer
  constructor(finished: FinishedAnswer) {
    super(`the answer was a ${finished.head.status}`)
    this.finished = finished
  }
}

const HIT = ['x-cache', 'HIT']
const STALE = ['x-cache', 'STALE']
const MISS = ['x-cache', 'MISS']

function isAbsent(status: number): boolean {
  return status === 404 || status === 410
}

// Between them what no decoded path holds: '/a%3Fb' and '/a?b' are not the same request.
export function requestText(exchange: Exchange): string {
  return exchange.search === '' ? exchange.path : `${exchange.path}\0${exchange.search}`
}

function finish(answer: Answer): FinishedAnswer {
  if (answer instanceof LateAnswer) {
    discard(answer)
    throw new BadAnswerError(
      'a cached endpoint returned a file or a stream of items, which is another answer for each client; leave out cache',
    )
  }
  if (answer.body instanceof ReadableStream) {
    discard(answer)
    throw new BadAnswerError('a cached endpoint returned a stream; return its value, or leave out cache')
  }
  const { head, body, error } = answer
  return FinishedAnswer.of(head.status, head.fields, body, error)
}

/** Not for everybody who asks with the same inputs. @param headerNames  those that are inputs, so that Vary may name them */
function isPersonal({ fields }: PreparedHead, headerNames: ReadonlySet<string>): boolean {
  for (let n = 0; n < fields.length; n += 2) {
    const name = fields[n]!.toLowerCase()
    const value = fields[n + 1]!
    if (name === 'set-cookie') return true
    if (name === 'cache-control' && /\b(?:private|no-store)\b/i.test(value)) return true
    if (name === 'vary' && value.split(',').some(member => !headerNames.has(member.trim().toLowerCase()))) return true
  }
  return false
}

// Sets, maps and bigints would all become '{}' or throw, infinities null, and objects that keep their fields to themselves '{}' as well; two
// different inputs must never share a key. What has a toJSON (dates, URLs) arrives here as its text.
function stable(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value)))
    return { [`\0${typeof value}`]: String(value) }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  if (value instanceof Set) return { '\0set': [...value] }
  if (value instanceof Map) return { '\0map': [...value] }
  const made: unknown = Object.getPrototypeOf(value)
  if (made !== null && made !== Object.prototype)
    throw new UsageError(
      'APP_CACHE',
      `an input of a cached endpoint is a ${value.constructor.name}, which cannot be told from another; give it a toJSON(), or decode it in the handler`,
    )
  return value
}
