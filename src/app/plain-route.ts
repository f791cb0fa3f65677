// The route that asked for nothing but inputs and a handler: straight from one to the other to the answer.
//
// The same stages as in handle.ts, without a state, without an Answer, and with one promise of ours beside the handler's own instead of
// four (bench hello, bench/micro/request).
import { DeadlineError } from '../core/deadline.ts'
import { isThenable } from '../core/thenable.ts'
import type { Exchange } from '../http/exchange.ts'
import { LateAnswer, send } from './answer.ts'
import type { CompiledRoute } from './compiled-route.ts'
import { conclude, concludeError, type Ending } from './conclude.ts'
import type { ReadInputs } from './input.ts'
import { problemAnswer } from './problem.ts'
import { HandlerView } from './request-state.ts'

export function runPlain(
  of: Ending,
  route: CompiledRoute,
  exchange: Exchange,
  values: readonly string[],
): void | Promise<void> {
  if (route.inputs.isEmpty) return callPlain(of, route, exchange, route.view(exchange, of.log, undefined))
  let read: ReadInputs | Promise<ReadInputs>
  try {
    read = route.inputs.read(exchange, values)
  } catch (error) {
    return concludeError(of, exchange, error)
  }
  if (!(read instanceof Promise)) return callPlain(of, route, exchange, route.view(exchange, of.log, read.own))
  limitPlain(of, route, exchange)
  void callPlainLater(of, route, exchange, read)
}

/** Never rejects. */
async function callPlainLater(
  of: Ending,
  route: CompiledRoute,
  exchange: Exchange,
  read: Promise<ReadInputs>,
): Promise<void> {
  try {
    await callPlain(of, route, exchange, route.view(exchange, of.log, (await read).own))
  } catch (error) {
    void concludeError(of, exchange, error)
  }
}

function callPlain(of: Ending, route: CompiledRoute, exchange: Exchange, view: HandlerView): void | Promise<void> {
  let value: unknown
  try {
    value = route.handler(view)
    if (!isThenable(value)) return concludePlain(of, route, exchange, view, value)
  } catch (error) {
    return concludeError(of, exchange, error)
  }
  limitPlain(of, route, exchange)
  settle(of, route, exchange, view, value)
}

function limitPlain(of: Ending, route: CompiledRoute, exchange: Exchange): void {
  route.overdue ??= overdue => {
    const error = new DeadlineError(`${route.name} gave no answer within ${route.timeoutMs} ms`)
    void send(overdue, problemAnswer(error, of.format))
  }
  exchange.limitTime(route.timeoutMs, route.overdue)
}

// Two functions where an async one would read better: that one takes 220 bytes more for each request (1,310 with all else).
function settle(
  of: Ending,
  route: CompiledRoute,
  exchange: Exchange,
  view: HandlerView,
  value: PromiseLike<unknown>,
): void {
  const failed = (error: unknown) => concludeError(of, exchange, error)
  const native = value instanceof Promise ? value : Promise.resolve(value)
  native.then(late => {
    try {
      return concludePlain(of, route, exchange, view, late)
    } catch (error) {
      return failed(error)
    }
  }, failed)
}

/** @throws what makes no answer, before anything is sent */
function concludePlain(
  of: Ending,
  route: CompiledRoute,
  exchange: Exchange,
  view: HandlerView,
  value: unknown,
): void | Promise<void> {
  const { responder } = route
  if (!responder.sendData(exchange, value)) {
    const answer = responder.answer(value)
    if (answer instanceof LateAnswer) limitPlain(of, route, exchange)
    return conclude(of, HandlerView.state(view), answer)
  }
  HandlerView.usedState(view)?.runDeferred(of.afterResponse)
}
