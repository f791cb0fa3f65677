// An app as the request listener of somebody else's node:http server, or as a handler of Express.
import { send } from './answer.ts'
import type { Log } from './context.ts'
import type { Embedded } from './embedded.ts'
import { NodeExchange, type NodeRequest, type NodeResponse } from './node-exchange.ts'
import { problemAnswer } from './problem.ts'
import type { StartedApp } from './servable.ts'

export interface NodeHandlerOptions {
  /**
   * What happens to a request that no route takes, by its method and path, when there is a `next`. false (default): the app answers it,
   * with its 404, 405 or redirect. true: it is handed to `next()` untouched; the app's middleware does not see it.
   */
  fallThrough?: boolean
}

/** @param next  called for what falls through, and with the error when the app cannot be started */
export type NodeHandler = (req: NodeRequest, res: NodeResponse, next?: (error?: unknown) => void) => void

export function nodeHandler(
  embedded: Embedded,
  log: () => Log,
  { fallThrough = false }: NodeHandlerOptions,
): NodeHandler {
  const serve = (started: StartedApp, req: NodeRequest, res: NodeResponse, next?: () => void) => {
    const exchange = new NodeExchange(req, res, embedded)
    const failed = (error: unknown) => {
      log().error({ err: error, method: exchange.method, route: exchange.record.route }, 'request failed')
      if (exchange.answered) exchange.destroy(error)
      else void send(exchange, problemAnswer(error, 'problem'))
    }
    const passOn = fallThrough ? next : undefined
    try {
      exchange.check()
    } catch (error) {
      if (!passOn) return void send(exchange, problemAnswer(error, 'problem'))
      exchange.passOn()
      return passOn()
    }
    if (passOn && !started.takes(exchange)) {
      exchange.passOn()
      return passOn()
    }
    try {
      const promise = started.handler(exchange)
      if (promise !== undefined) promise.then(undefined, failed)
    } catch (error) {
      failed(error)
    }
  }
  return (req, res, next) => {
    const { running } = embedded
    if (running) return serve(running, req, res, next)
    embedded.up().then(
      started => serve(started, req, res, next),
      (error: unknown) => {
        if (next) return next(error)
        const answer = problemAnswer(error, 'problem')
        if (answer.status === 500) log().error({ err: error }, 'the app did not start')
        void send(new NodeExchange(req, res, embedded), answer)
      },
    )
  }
}
