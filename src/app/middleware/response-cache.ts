// Keeps the answers of whatever it surrounds, as a shared HTTP cache does: routes, whole routers, and mounted handlers that know nothing of it.
//
//   import { App } from 'millrace'
//   import { compress, responseCache } from 'millrace/middleware'
//
//   const app = new App({ title: 'Shop' })
//   app.mount('/legacy', { node: legacy }, { use: [compress(), responseCache({ ttl: '1m' })] })
//
// A route of one's own is better off with `cache:`: that knows the declared inputs, so that unknown query parameters make no copies, and loads
// behind the answer. Inside compress(), as here, a kept answer is compressed once for each coding.
import { Cache } from '../../cache/cache.ts'
import { LoadFailedError } from '../../cache/errors.ts'
import type { CachePolicy } from '../../cache/freshness.ts'
import { type Duration, milliseconds } from '../../core/duration.ts'
import { LruMap } from '../../core/lru-map.ts'
import { Answer } from '../answer.ts'
import { directivesOf, secondsOf } from '../cache-control.ts'
import type { Middleware, MiddlewareContext } from '../compose.ts'
import { FinishedAnswer, finishedBytes, finishedCodec } from '../finished-answer.ts'
import { exchangeOf } from '../request-state.ts'
import { FailedAnswer, lifeOf, mayKeep, OwnAnswer, shared, type SharingRules } from '../shared-answer.ts'

export interface ResponseCacheOptions {
  /** For 200s that say nothing of their own in Cache-Control or Expires. Default: those are not kept. */
  readonly ttl?: Duration
  /** How long after that an answer may still be sent while one request fetches a new one. Default 0. */
  readonly staleFor?: Duration
  /** How long after its ttl it may be sent where the new one is a 5xx. Default: as staleFor. */
  readonly staleIfError?: Duration
  /** Request fields by which answers differ, such as `accept-language`; each value has answers of its own. */
  readonly vary?: readonly string[]
  /** For `cache.invalidate(...tags)` and `millrace ctl purge`. */
  readonly tags?: readonly string[] | ((context: MiddlewareContext) => readonly string[])
  /** Keeps answers to requests with Authorization too, for everybody. Default false: those go through. */
  readonly authorized?: boolean
  /** The same for requests with cookies, by which a handler may know a visitor. Default false. */
  readonly ignoresCookies?: boolean
  /** Obeys the Cache-Control of requests: no-cache, no-store, max-age, only-if-cached, and Pragma: no-cache. Default false: clients decide nothing. */
  readonly obeysRequests?: boolean
  /** Answers say `X-Cache: HIT`, `STALE` or `MISS`. Default false. */
  readonly xCache?: boolean
  /** Larger bodies go through; streams are collected up to it, and for five seconds at most, before they are sent. Default 1 MiB. */
  readonly maxBodyBytes?: number
  /** Of the cache, for metrics; keys are unique within it. Default 'responses 1', 2 and so on. */
  readonly name?: string
}

/** The client that has asked for all of them has left, or its time was up: of what is inside this says nothing. */
class LeftAnswer extends Error {
  /** Other workers are not told of a failure either: one of them asks in its place. */
  readonly status = 499
  readonly answer: Answer
  constructor(answer: Answer) {
    super('who asked for it has left')
    this.answer = answer
  }
}

const UNCACHED: CachePolicy = { ttl: 0 }
const MAX_BODY_BYTES = 1024 * 1024
// What was not to be kept is not waited for: those who ask for it do not stand in a line. As Varnish's hit-for-miss, for as many addresses.
const PASS_MS = 10_000
const MAX_PASSES = 1_000
/** Of those who wait for one that leaves, one asks in its place. After so many each asks for itself. */
const MAX_TRIES = 3
let caches = 0

/**
 * By RFC 9111: s-maxage, max-age and Expires say how long an answer is kept, stale-while-revalidate and stale-if-error (RFC 5861) what happens after
 * that; never kept are private, no-store, no-cache, Set-Cookie, and what varies by a field that is not in `vary`. Kept ones carry Age, are given
 * as 304, in parts and for HEAD, and are shared by all workers. A POST, PUT, PATCH or DELETE that succeeds has all of them forget its address.
 *
 * @throws UsageError `CORE_BAD_DURATION`
 */
export function responseCache(options: ResponseCacheOptions = {}): Middleware {
  const {
    staleFor = 0,
    authorized = false,
    ignoresCookies = false,
    obeysRequests = false,
    xCache = false,
    tags = [],
  } = options
  const where = 'responseCache()'
  const fallbackMs = options.ttl === undefined ? undefined : milliseconds(options.ttl, `${where} ttl`)
  const staleMs = milliseconds(staleFor, `${where} staleFor`)
  const staleIfErrorMs = milliseconds(options.staleIfError ?? staleFor, `${where} staleIfError`)
  const varyNames = new Set((options.vary ?? []).map(name => name.toLowerCase()))
  const personal = new Set([...(authorized ? [] : ['authorization']), ...(ignoresCookies ? [] : ['cookie'])])
  const cache = new Cache({
    name: options.name ?? `responses ${++caches}`,
    loadTimeout: null,
    codec: finishedCodec,
    sizeOf: finishedBytes,
  })

  const rules: SharingRules = { fallbackMs, varyNames, maxBodyBytes: options.maxBodyBytes ?? MAX_BODY_BYTES }
  const passes = new LruMap<string, Pass>()

  const policyOf = (found: FinishedAnswer | OwnAnswer, context: MiddlewareContext): CachePolicy => {
    if (found instanceof OwnAnswer) return UNCACHED
    const life = lifeOf(found.head.status, found.head.fields, rules)
    if (life === undefined) return UNCACHED
    return {
      ttl: life.freshMs,
      staleFor: life.staleMs ?? staleMs,
      staleIfError: life.staleIfErrorMs ?? staleIfErrorMs,
      tags: [...(typeof tags === 'function' ? tags(context) : tags), addressTag(context)],
    }
  }

  /** Of all that is kept of an address, whatever it varies by. */
  const addressTag = ({ scheme, authority, path, search }: MiddlewareContext): string =>
    `${cache.name} ${JSON.stringify([scheme, authority, path, search])}`

  /** RFC 9111 §4.4: what was kept of an address is not true any more when something was changed there. */
  const changed = async (context: MiddlewareContext, next: () => Promise<Answer>): Promise<Answer> => {
    const answer = await next()
    if (answer.status >= 200 && answer.status <= 399)
      await cache.invalidate(addressTag(context)).catch((error: unknown) => {
        context.log.warn(error, 'what is kept of a changed address could not be invalidated in other workers')
      })
    return answer
  }

  /** Straight through, for who asks for what was not to be kept a moment ago; it may be by now. */
  const passed = async ({ key, isByHead }: Pass, next: () => Promise<Answer>): Promise<Answer> => {
    const answer = await next()
    if (isByHead && mayKeep(answer, rules)) passes.delete(key)
    return answer
  }

  /** Redirections and 200s: what asks for one of the others is rarely asked again, and 206 and 304 answer one request. */
  const letPass = (key: string, { answer: { status }, isByHead }: OwnAnswer): void => {
    if (status >= 400 || status === 206 || status === 304) return
    passes.set(key, { key, isByHead, untilMs: performance.now() + PASS_MS })
    if (passes.size > MAX_PASSES) passes.delete(passes.oldest()!.key)
  }

  const load = async (context: MiddlewareContext, next: () => Promise<Answer>): Promise<FinishedAnswer | OwnAnswer> => {
    const answer = await next()
    if (context.signal.aborted) throw new LeftAnswer(answer)
    return shared(answer, rules)
  }

  return async (context, next) => {
    const exchange = exchangeOf(context)
    const { headers, method } = context
    if (!SAFE.has(method)) return changed(context, next)
    if ((method !== 'GET' && method !== 'HEAD') || headers.hasAny(personal)) return next()
    // Some handlers answer by the body of a GET, and it is no part of the key.
    if (exchange.body.length !== 0) return next()
    const key = [
      context.scheme,
      context.authority,
      context.path,
      context.search,
      ...[...varyNames].map(name => headers.get(name) ?? ''),
    ]
      .map(part => JSON.stringify(part))
      .join(' ')
    const told = (found: FinishedAnswer, how: string) => [
      ...(how === 'MISS' ? [] : ['age', String(found.age)]),
      ...(xCache ? ['x-cache', how] : []),
    ]
    const kept = cache.peek(key) as FinishedAnswer | undefined
    if (obeysRequests) {
      const wish = wishOf(context, kept)
      if (wish === 'anew') return next()
      if (wish === 'impossible') return new Answer(504, null)
    }
    if (kept) return kept.answerTo(exchange, told(kept, 'HIT'))
    // What HEAD would leave of it is no whole answer.
    if (method === 'HEAD') return next()
    const pass = passes.get(key)
    if (pass !== undefined && performance.now() < pass.untilMs) return passed(pass, next)
    for (let tries = 1; ; tries++) {
      let isOurs = false
      let isStale = false
      let found: FinishedAnswer | OwnAnswer
      try {
        found = await cache.get<FinishedAnswer | OwnAnswer>(
          key,
          () => {
            isOurs = true
            return load(context, next)
          },
          found => policyOf(found, context),
          { waits: true, onStale: () => (isStale = true) },
        )
      } catch (error) {
        if (isOurs) {
          if (error instanceof FailedAnswer || error instanceof LeftAnswer) return error.answer
          throw error
        }
        if (error instanceof LeftAnswer && tries < MAX_TRIES) continue
        // Somebody else's failure is ours where it would be the same. Another worker says only that it has failed.
        if (error instanceof LoadFailedError) throw error
        if (error instanceof FailedAnswer && error.finished) return error.finished.answerTo(exchange)
        return next()
      }
      if (found instanceof FinishedAnswer)
        return found.answerTo(exchange, told(found, isStale ? 'STALE' : isOurs ? 'MISS' : 'HIT'))
      if (!isOurs) return next()
      letPass(key, found)
      return found.answer
    }
  }
}

/** For an address that is not waited for. */
interface Pass {
  readonly key: string
  /** Another head may say otherwise. */
  readonly isByHead: boolean
  readonly untilMs: number
}

/** RFC 9110 §9.2.1, and QUERY: they change nothing. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY'])

type Wish = 'kept' | 'anew' | 'impossible'

/** RFC 9111 §5.2.1. */
function wishOf({ headers }: MiddlewareContext, kept: FinishedAnswer | undefined): Wish {
  const field = headers.get('cache-control')
  const asked = directivesOf(field ?? (/\bno-cache\b/i.test(headers.get('pragma') ?? '') ? 'no-cache' : undefined))
  const maxAge = secondsOf(asked, 'max-age')
  const isTooOld = kept !== undefined && maxAge !== undefined && kept.age >= maxAge
  if (asked.has('only-if-cached') && (kept === undefined || isTooOld)) return 'impossible'
  return asked.has('no-store') || asked.has('no-cache') || isTooOld ? 'anew' : 'kept'
}
