// Middleware: functions around a request, at app, router and route level. Composed once per route, before listening.
import type { FieldLines } from '../http/exchange.ts'
import type { AdditionsOf } from './additions.ts'
import { Answer, answerFromResponse, BadAnswerError, discard } from './answer.ts'
import type { RequestContext } from './context.ts'

export interface MiddlewareContext extends RequestContext {
  readonly method: string
  /** Normal form, percent-decoded. */
  readonly path: string
  /** Raw query text without '?'. */
  readonly search: string
  readonly headers: FieldLines
  /** 'https' over TLS, or where a trusted proxy says so. */
  readonly scheme: 'http' | 'https'
  /** The host that was asked for, with its port if it was named: from the target, else Host, or as a trusted proxy says. '' when there is none. */
  readonly authority: string
  /** The matched route's pattern; '' when none matched. */
  readonly route: string
  /** Puts these fields on every line that is logged for this request from here on, by its handler too. */
  note(fields: Readonly<Record<string, unknown>>): void
}

/**
 * Runs around everything inside it. `next()` gives the answer, errors included: inside, every throw has already become one. Change it
 * in place, return another (an Answer or a Response), or do not call `next` at all.
 *
 * @example
 * const timing: Middleware = async (context, next) => {
 *   const started = performance.now()
 *   const answer = await next()
 *   answer.headers.set('server-timing', `app;dur=${(performance.now() - started).toFixed(1)}`)
 * }
 */
export interface Middleware {
  (
    context: MiddlewareContext,
    next: () => Promise<Answer>,
  ): Answer | Response | void | Promise<Answer | Response | void>
  /** What it adds to the routes it is around; see additions.ts. */
  readonly '~adds'?: AdditionsOf
}

export type Stage = () => Promise<Answer>

/** At least one, outermost first. `onError` turns what a middleware throws into an answer for those around it. */
export function composed(
  middleware: readonly Middleware[],
  context: MiddlewareContext,
  innermost: Stage,
  onError: (error: unknown) => Answer,
): Promise<Answer> {
  const runFrom = async (at: number): Promise<Answer> => {
    const layer = middleware[at]!
    const inside = at + 1 === middleware.length ? innermost : () => runFrom(at + 1)
    let inner: Promise<Answer> | undefined
    try {
      const result = await layer(context, () => (inner ??= inside()))
      const answer = result instanceof Response ? answerFromResponse(result) : result
      if (answer instanceof Answer) {
        inner?.then(replaced => replaced.source === answer.source || discard(replaced), nothing)
        return answer
      }
      if (result !== undefined)
        throw new BadAnswerError('a middleware returned something that is neither an Answer, a Response nor nothing')
      if (!inner) throw new BadAnswerError('a middleware neither called next() nor returned an answer')
      return await inner
    } catch (error) {
      inner?.then(discard, nothing)
      return onError(error)
    }
  }
  return runFrom(0)
}

function nothing(): void {}
