// An answer as the caller gets it: `status`, and the body that goes with it.
//
// A client made of types knows at run time nothing of what a route declares. So it takes for declared what can be: any 2xx, and any other
// status with a JSON body or none. The rest (a proxy's page, a redirect nobody followed, text where JSON was said) is thrown.
import { answerBody, isJson } from '../app/call-answer.ts'
import type { Told } from '../app/call.ts'
import { AnswerError, type CallName } from './errors.ts'

/** Which call an answer came from, for unwrap(). */
const origins = new WeakMap<object, CallName>()

/** Reads a body whole. @throws AnswerError `CLIENT_UNEXPECTED_ANSWER`; what the body throws when it is cut */
export async function received(response: Response, call: CallName): Promise<Told<any, any>> {
  const isBodiless = call.method === 'HEAD'
  try {
    const answer = told(response, call, isBodiless ? null : await answerBody(response))
    if (!isBodiless && !isDeclarable(answer)) throw new AnswerError('CLIENT_UNEXPECTED_ANSWER', call, answer)
    return answer
  } catch (error) {
    // Bad JSON, a bad redirect: nothing that asking again would mend.
    if (!(error instanceof SyntaxError)) throw error
    throw new AnswerError('CLIENT_UNEXPECTED_ANSWER', call, told(response, call, null), error)
  }
}

/** An answer whose body is what it is: read already, or read as it comes. */
export function told(response: Response, call: CallName, body: unknown): Told<any, any> {
  const { status, ok, headers } = response
  const answer = { status, ok, body, headers }
  origins.set(answer, call)
  return answer as Told<any, any>
}

function isDeclarable({ ok, body, headers }: Told<number, unknown>): boolean {
  return ok || body === null || isJson(headers.get('content-type') ?? '')
}

/**
 * The body of a 2xx; anything else is thrown, with a message that says which call it was and what came back.
 *
 * @example const product = await unwrap(shop.get('/products/{id}', { params: { id: 7 } }))
 * @throws AnswerError `CLIENT_NOT_OK`: 'GET /products/{id} answered 404 Not Found: No such product'
 */
export async function unwrap<A extends Told<any, any>>(
  answer: A | Promise<A>,
): Promise<Extract<A, { readonly ok: true }>['body']> {
  const came = await answer
  if (came.ok) return came.body
  throw new AnswerError('CLIENT_NOT_OK', origins.get(came) ?? { method: 'a', path: 'call', url: '' }, came)
}
