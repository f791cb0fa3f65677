// Spares clients what they have already: answers get an entity tag, and who shows it again gets a 304 without a body.
//
//   import { App } from 'millrace'
//   import { compress, conditional } from 'millrace/middleware'
//
//   const app = new App({ title: 'Shop' })
//   app.use(compress(), conditional())
//
// It spares the bytes and not the work. Inside compress(), as here, a tag is made from what the handler said, once for all codings, and is
// weak where it was compressed. A tag or a date that the answer has already is taken as it is, so a version of the data can be the tag.
import { hash } from 'node:crypto'
import { adding, ENTITY_TAGS } from '../additions.ts'
import { Answer } from '../answer.ts'
import type { Middleware } from '../compose.ts'
import { judge, unmodifiedFields, type Validators } from '../conditional.ts'
import type { RequestContext } from '../context.ts'
import { parseDate } from '../date-field.ts'
import { HttpError } from '../http-error.ts'
import { exchangeOf } from '../request-state.ts'

/**
 * For GET and HEAD answered with 200. A whole body gets a tag made from its bytes; a stream has only one that it says itself, and a file has
 * its own. What must not be stored (`no-store`) gets none.
 */
export function conditional(): Middleware {
  const middleware: Middleware = async (context, next) => {
    const answer = await next()
    const { method, headers } = context
    if (answer.status !== 200 || answer.error !== undefined || !isRead(method)) return answer
    const validators = validatorsOf(answer)
    const verdict = judge(method, headers, validators)
    if (verdict === 412) throw new HttpError(412, 'What is there is not in the state that the request asks for')
    if (verdict === 304) return new Answer(304, null, unmodifiedFields(answer.headers.lines))
    return answer
  }
  return adding(middleware, method => (isRead(method) ? ENTITY_TAGS : {}))
}

function isRead(method: string): boolean {
  return method === 'GET' || method === 'HEAD'
}

function validatorsOf(answer: Answer): Validators {
  const { body, headers } = answer
  const modified = headers.get('last-modified')
  const modifiedMs = modified === undefined ? undefined : parseDate(modified)
  const etag = headers.get('etag')
  if (etag !== undefined || body === null || body instanceof ReadableStream) return { etag, modifiedMs }
  if (/\bno-store\b/i.test(headers.get('cache-control') ?? '')) return { modifiedMs }
  // 162 bits of it: two bodies never have the same.
  const made = `"${hash('sha256', body, 'base64url').slice(0, 27)}"`
  headers.set('etag', made)
  return { etag: made, modifiedMs }
}

export interface ConditionOptions {
  /** Who does not say which state is meant gets a 428. Default false. */
  readonly required?: boolean
}

/**
 * For handlers that change something: goes on only where what is there is what the client thinks it is, so that no update is lost.
 *
 * @param current  what tells the present state; undefined where there is nothing yet
 * @throws HttpError 412 where If-Match, If-Unmodified-Since or If-None-Match say otherwise; 428 where `required` and none of them came
 *
 * @example
 * app.put('/notes/{id}', { body: Note }, context => {
 *   checkConditions(context, { etag: `"${versionOf(context.params.id)}"` }, { required: true })
 */
export function checkConditions(
  context: RequestContext,
  current: Pick<Validators, 'etag' | 'modifiedMs'> | undefined,
  { required = false }: ConditionOptions = {},
): void {
  const { method, fields } = exchangeOf(context)
  if (required && !NAMES.some(name => fields.has(name)))
    throw new HttpError(428, 'Say with If-Match which state is to be changed')
  const isMet = current ? judge(method, fields, current) !== 412 : !fields.has('if-match')
  if (!isMet) throw new HttpError(412, 'What is there is not in the state that the request asks for')
}

const NAMES = ['if-match', 'if-none-match', 'if-unmodified-since']
