// Gives every request an id and says it in the answer, so that a client's report, a proxy's log and ours can be put side by side.
//
//   import { App } from 'millrace'
//   import { requestId } from 'millrace/middleware'
//
//   const app = new App({ title: 'Shop' })
//   app.use(requestId({ trustIncoming: true }))     // behind a proxy that sets X-Request-Id
//
// Every line that is logged for the request carries it as `requestId`.
import { randomUUID } from 'node:crypto'
import { UsageError } from '../../core/error.ts'
import type { Exchange } from '../../http/exchange.ts'
import { adding } from '../additions.ts'
import type { Middleware } from '../compose.ts'
import type { RequestContext } from '../context.ts'
import { exchangeOf } from '../request-state.ts'

export interface RequestIdOptions {
  /** Default 'x-request-id'. */
  header?: string
  /** Keeps an id that came with the request, when it is a plain one. Only where a proxy of yours sets it. Default false. */
  trustIncoming?: boolean
  /** Makes an id. Default: a random UUID. */
  make?: () => string
}

// 128 letters, digits and the marks that ids of proxies and tracers use. Anything else could forge a log line or carry a script.
const PLAIN = /^[A-Za-z0-9._:+/=@-]{1,128}$/

/** The answer's field is set whatever the answer is, errors included. @throws UsageError `REQUEST_ID_BAD_HEADER` */
export function requestId(options: RequestIdOptions = {}): Middleware {
  const { trustIncoming = false, make = randomUUID } = options
  const name = (options.header ?? 'x-request-id').toLowerCase()
  if (!/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name))
    throw new UsageError('REQUEST_ID_BAD_HEADER', `requestId(): ${JSON.stringify(name)} is not a header name`)
  const middleware: Middleware = async (context, next) => {
    const came = trustIncoming ? context.headers.all(name) : []
    const id = came.length === 1 && PLAIN.test(came[0]!) ? came[0]! : make()
    ids.set(exchangeOf(context), id)
    context.note({ requestId: id })
    const answer = await next()
    answer.headers.set(name, id)
    return answer
  }
  return adding(middleware, { fields: { [name]: 'Names this request, for reports and logs' } })
}

// Beside the exchange and not in it: only who asks for ids pays for them.
const ids = new WeakMap<Exchange, string>()

/** The id of the request behind a context, to pass on to another service; undefined where no `requestId()` is around. */
export function requestIdOf(context: RequestContext): string | undefined {
  return ids.get(exchangeOf(context))
}
