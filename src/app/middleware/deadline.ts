// One deadline from the client to the database: nothing is worked on for longer than its client waits for it.
//
//   import { App } from 'millrace'
//   import { deadline } from 'millrace/middleware'
//
//   const app = new App({ title: 'Shop' })
//   app.use(deadline())
//
// `client` from millrace/client sends Request-Timeout-Ms with every call: what is left of the call's time, in whole milliseconds of at
// most ten digits, as Connect-Timeout-Ms of the Connect protocol has it. A duration needs no clocks that agree. What the network takes
// on the way is not in it, so the client always gives up first.
import { HttpError } from '../http-error.ts'
import { adding } from '../additions.ts'
import type { Middleware } from '../compose.ts'
import { shortenTime } from '../request-state.ts'

const FIELD = 'request-timeout-ms'

/**
 * Bounds a request's time by what its client says in Request-Timeout-Ms; never beyond the route's own `timeout`. When it has passed, `signal`
 * aborts and the answer is a 504, or a 503 for what was still waiting for a permit and has never begun. A value that is no number of
 * milliseconds is a 400.
 */
export function deadline(): Middleware {
  const middleware: Middleware = (context, next) => {
    const told = context.headers.get(FIELD)
    if (told === undefined) return next()
    if (!/^\d{1,10}$/.test(told)) throw new HttpError(400, 'Request-Timeout-Ms is a whole number of milliseconds')
    shortenTime(context, Number(told))
    return next()
  }
  return adding(middleware, {
    parameters: [
      { name: 'Request-Timeout-Ms', in: 'header', description: 'How long the client waits, in milliseconds' },
    ],
    statuses: [400, 503, 504],
  })
}
