// The life of a request, from a head to a reply.
//
//   route         which handler, and the values in the path          > 404, 405, 307, or the answer to OPTIONS
//   middleware    app, routers, route, from the outside in; around all that follows
//   credentials   those that a dependency's `security` asks for      > 401 + WWW-Authenticate
//   permit        one of the route's `limit`                         > 503 + Retry-After          OverloadError
//   guards        dependencies that say who may ask                  > 401, 403
//   input         path, query, headers, cookies, body or form        > 400, 413, 415, 422         ValidationError
//   cache         a finished answer for these inputs, when there is one
//   dependencies  made in order; cleaned up in reverse before the answer is out
//   handler       your code                                          > HttpError, or 500
//   answer        status, fields, bytes, by what `returns` declares
//   send          to the engine; then what was deferred
//
// A route with neither middleware, permit, cache nor values to make takes the short way of plain-route.ts, without a promise unless the
// handler makes one. Errors leave at the stage that found them and become an answer in problem.ts.
import { DeadlineError } from '../core/deadline.ts'
import { signalOf } from '../core/request-signal.ts'
import { isThenable } from '../core/thenable.ts'
import { waitedTooLong } from '../flow/errors.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Handler } from '../http/handler.ts'
import { type Answer, discard, LateAnswer, send } from './answer.ts'
import type { CompiledRoute } from './compiled-route.ts'
import { composed, type Middleware } from './compose.ts'
import { conclude, concludeLater, concludeOverdue, type Ending } from './conclude.ts'
import { CleanUp } from './dependencies.ts'
import type { Guard, Shown } from './guard.ts'
import type { ReadInputs } from './input.ts'
import { OpeningAnswer } from './opening-answer.ts'
import { runPlain } from './plain-route.ts'
import { problemAnswer } from './problem.ts'
import { MiddlewareView, RequestState } from './request-state.ts'
import type { RouteTable } from './route-table.ts'
import { unrouted, type UnroutedRules } from './unrouted.ts'
import { RecentTexts } from './recent-texts.ts'
import { Uploads } from './uploads.ts'
import { CompiledSocket } from './websocket/compiled-socket.ts'

export interface Surroundings extends Ending, UnroutedRules {
  readonly table: RouteTable<CompiledRoute>
  /** For requests that no route takes. */
  readonly middleware: (exchange: Exchange) => readonly Middleware[]
  /** For them; a route has its own. */
  readonly requestTimeoutMs: number
}

export function handle(of: Surroundings): Handler {
  const recent = new RecentTexts()
  return exchange => {
    const { method, path } = exchange
    if (recent.answers(method, exchange)) return
    const found = of.table.find(method, path)
    if (!found) return runUnrouted(of, exchange)
    exchange.record.route = found.target.pattern
    if (found.target.cache) recent.note(method, exchange, found.target)
    return runRoute(of, found.target, exchange, found.values)
  }
}

/** @param before  values of names that stand before the path, in its host */
export function handleAt(of: Surroundings, exchange: Exchange, before: readonly string[]): void | Promise<void> {
  const { method, path } = exchange
  const found = of.table.find(method, path)
  if (!found) return runUnrouted(of, exchange)
  exchange.record.route = found.target.pattern
  // Those of a route that is there for every host have no place for them.
  const values = before.length === 0 || !found.target.isHosted ? found.values : [...before, ...found.values]
  return runRoute(of, found.target, exchange, values)
}

function runRoute(
  of: Surroundings,
  route: CompiledRoute,
  exchange: Exchange,
  values: readonly string[],
): void | Promise<void> {
  // Whoever reads the body: a declared input, the handler as a stream, or middleware.
  route.bodyPolicy?.apply(exchange)
  if (route.isPlain) return runPlain(of, route, exchange, values)
  if (route.passage) return route.passage(exchange, values.at(-1) ?? '')
  const state = new RequestState(exchange, of.log)
  if (route.takesFiles) state.uploads = new Uploads(exchange)
  let answer: Answer | Promise<Answer>
  try {
    answer = staged(of, route, state, values)
  } catch (error) {
    answer = problemAnswer(error, of.format)
  }
  if (!(answer instanceof Promise)) return conclude(of, state, answer)
  limitTime(of, state, route.name, route.timeoutMs)
  const concluded = concludeLater(of, state, answer)
  return state.uploads ? concluded.finally(() => state.uploads?.end()) : concluded
}

/** A 504 through the middleware while what it surrounds is at work; at once when the middleware itself takes too long. */
function limitTime(of: Surroundings, state: RequestState, name: string, timeoutMs: number): void {
  state.overdue = exchange => {
    const answer = () => void send(exchange, problemAnswer(timedOut(state, name, state.timeoutMs), of.format))
    if (!state.interrupt) return answer()
    state.interrupt()
    exchange.limitTime(state.timeoutMs + MIDDLEWARE_GRACE_MS, answer)
  }
  // A middleware may have shortened it already.
  state.timeoutMs = Math.min(state.timeoutMs, timeoutMs)
  state.exchange.limitTime(state.timeoutMs, state.overdue)
}

/** What middleware gets on top for a 504: enough to note it, not to hang on it. */
const MIDDLEWARE_GRACE_MS = 1000

/** Straight from input to handler to answer. */
function plain(route: CompiledRoute, state: RequestState, values: readonly string[]): Answer | Promise<Answer> {
  if (route.inputs.isEmpty) return called(route, state, undefined)
  const read = route.inputs.read(state.exchange, values, state.uploads)
  return read instanceof Promise ? read.then(late => called(route, state, late)) : called(route, state, read)
}

function called(route: CompiledRoute, state: RequestState, read: ReadInputs | undefined): Answer | Promise<Answer> {
  const value = route.handler(route.view(state.exchange, state.log, read?.own, state))
  return isThenable(value) ? answerOf(route, value) : route.responder.answer(value)
}

async function answerOf(route: CompiledRoute, value: PromiseLike<unknown>): Promise<Answer> {
  return route.responder.answer(await value)
}

/** Middleware around the rest. */
function staged(
  of: Surroundings,
  route: CompiledRoute,
  state: RequestState,
  values: readonly string[],
): Answer | Promise<Answer> {
  if (route.middleware.length === 0) return permitted(of, route, state, values)
  const onError = (error: unknown) => problemAnswer(error, of.format)
  const innermost = () => {
    let begun: Answer | Promise<Answer>
    try {
      begun = permitted(of, route, state, values)
      if (!(begun instanceof Promise)) begun = completed(state, begun)
    } catch (error) {
      begun = onError(error)
    }
    // What is there already cannot be overdue.
    if (!(begun instanceof Promise)) return Promise.resolve(begun)
    const pending = begun
    return new Promise<Answer>(resolve => {
      const end = (answer: Answer) => {
        state.interrupt = undefined
        if (state.isOverdue) concludeOverdue(of, state, answer)
        else resolve(answer)
      }
      state.interrupt = () => {
        state.isOverdue = true
        resolve(onError(timedOut(state, route.name, state.timeoutMs)))
      }
      pending.then(answer => completed(state, answer)).then(end, error => end(onError(error)))
    })
  }
  return composed(route.middleware, new MiddlewareView(state), innermost, onError)
}

/** As middleware and the engine see it. */
function completed(state: RequestState, answer: Answer): Answer | Promise<Answer> {
  return answer instanceof LateAnswer ? answer.complete(state.exchange) : answer
}

/** A cached answer needs no permit; everything else does, before its body is read. */
function permitted(
  of: Surroundings,
  route: CompiledRoute,
  state: RequestState,
  values: readonly string[],
): Answer | Promise<Answer> {
  if (route instanceof CompiledSocket) return route.shakeHands(state, values)
  const { cache, limiter, guard } = route
  if (guard) {
    const shown = guard.admit(state.exchange)
    return holdingPermit(route, state, () => guarded(route, guard, state, values, shown))
  }
  if (cache?.applies(state.exchange)) {
    const recalled = cache.recall(state.exchange)
    if (recalled) return recalled
    const read = route.inputs.read(state.exchange, values)
    if (read instanceof Promise) return read.then(late => cached(of, route, state, late))
    return cached(of, route, state, read)
  }
  if (!limiter && route.plan.isStatic) return plain(route, state, values)
  return holdingPermit(route, state, async () =>
    made(route, state, await route.inputs.read(state.exchange, values, state.uploads)),
  )
}

function cached(
  of: Surroundings,
  route: CompiledRoute,
  state: RequestState,
  read: ReadInputs,
): Answer | Promise<Answer> {
  const cache = route.cache!
  const found = cache.find(state.exchange, read.own)
  if (typeof found !== 'string') return found
  return cache.get(
    state.exchange,
    found,
    read.own,
    signal => loaded(of, route, state, read, signal),
    state.exchange.signal,
  )
}

/** Bounded by the route's time: nobody waits for a reload behind a stale answer, so nobody else would end one that hangs. */
async function loaded(
  of: Surroundings,
  route: CompiledRoute,
  state: RequestState,
  read: ReadInputs,
  signal: AbortSignal,
): Promise<Answer> {
  const late = new AbortController()
  const limitAtMs = performance.now() + route.timeoutMs
  const { record } = state.exchange
  const own = state.forLoad(signalOf({ limitAtMs, record }, AbortSignal.any([signal, late.signal])))
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_resolve, reject) => {
    const passed = () => {
      const error = timedOut(own, route.name, route.timeoutMs)
      late.abort(error)
      reject(error)
    }
    timer = setTimeout(passed, Math.min(route.timeoutMs, LONGEST_TIMER_MS)).unref()
  })
  const run = holdingPermit(route, own, () => made(route, own, read)).then(answer => {
    own.runDeferred(of.afterResponse)
    return answer
  })
  try {
    return await Promise.race([run, timeout])
  } finally {
    clearTimeout(timer)
  }
}

/** setTimeout takes no longer delay: 24 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

async function holdingPermit(route: CompiledRoute, state: RequestState, run: () => Promise<Answer>): Promise<Answer> {
  const { limiter } = route
  if (!limiter) return run()
  if (!limiter.tryAcquire()) {
    state.isQueued = true
    await limiter.acquire(route.priority, state.signal)
    state.isQueued = false
  }
  try {
    return await run()
  } finally {
    limiter.release()
  }
}

/** Dependencies, handler, answer, and the clean-up before any of it leaves. */
async function made(route: CompiledRoute, state: RequestState, read: ReadInputs): Promise<Answer> {
  if (route.plan.isStatic) return called(route, state, read)
  const cleanUp = new CleanUp()
  let answer: Answer
  try {
    answer = await finished(route, state, read, [], cleanUp)
  } catch (error) {
    throw await cleanUp.fail(error)
  }
  return cleanedUp(cleanUp, answer)
}

async function cleanedUp(cleanUp: CleanUp, answer: Answer): Promise<Answer> {
  try {
    await cleanUp.finish()
  } catch (error) {
    discard(answer)
    throw error
  }
  return answer
}

/** The same for a route that not everybody may use: who may not is told so before the body is read, let alone judged. */
async function guarded(
  route: CompiledRoute,
  guard: Guard,
  state: RequestState,
  values: readonly string[],
  shown: Shown,
): Promise<Answer> {
  const { plan, workerValues } = route
  const cleanUp = new CleanUp()
  let answer: Answer
  try {
    const early = await guard.inputs.read(state.exchange, values)
    const made: unknown[] = []
    await plan.make(plan.guards, made, state, workerValues, early.steps, cleanUp, shown)
    const read = await route.inputs.read(state.exchange, values, state.uploads)
    answer = await finished(route, state, read, made, cleanUp)
  } catch (error) {
    throw guard.told(await cleanUp.fail(error), shown)
  }
  return cleanedUp(cleanUp, answer)
}

/** @param made  what the guards gave, by slot */
async function finished(
  route: CompiledRoute,
  state: RequestState,
  read: ReadInputs,
  made: unknown[],
  cleanUp: CleanUp,
): Promise<Answer> {
  const { plan } = route
  await plan.make(plan.others, made, state, route.workerValues, read.steps, cleanUp)
  const view = route.view(state.exchange, state.log, read.own, state)
  plan.give(view, made)
  const answer = route.responder.answer(await route.handler(view))
  // Up to its first item a generator is a handler like any other: it may use what is cleaned up next, and fail.
  return answer instanceof OpeningAnswer ? answer.complete(state.exchange, true) : answer
}

async function runUnrouted(of: Surroundings, exchange: Exchange): Promise<void> {
  const state = new RequestState(exchange, of.log)
  const onError = (error: unknown) => problemAnswer(error, of.format)
  const answer = async () => unrouted(of.table, exchange, of)
  const middleware = of.middleware(exchange)
  if (middleware.length === 0) return conclude(of, state, await answer())
  const answered = composed(middleware, new MiddlewareView(state), answer, onError)
  limitTime(of, state, `middleware around ${exchange.method} without a route`, of.requestTimeoutMs)
  return conclude(of, state, await answered)
}

/** 503 for what never started, 504 for what did not finish. */
function timedOut(state: RequestState, name: string, timeoutMs: number): Error {
  if (state.isWaiting) return waitedTooLong(Math.random())
  return new DeadlineError(`${name} gave no answer within ${timeoutMs} ms`)
}
