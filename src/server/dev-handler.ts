// The app in development: told by the supervisor that newer code does not run, it shows that to people who open a page, and goes on
// answering everything else; what watches handlers in development finds its request by core/current-request.ts.
import { answering } from '../core/current-request.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Handler } from '../http/handler.ts'
import { prepareHead } from '../http/prepared-head.ts'
import { DEV_QUESTION, devPage, isNavigation } from './dev-page.ts'

const NOT_KEPT = ['cache-control', 'no-store'] as const
const WELL = prepareHead(204, NOT_KEPT)
const BROKEN_TEXT = prepareHead(503, ['content-type', 'text/plain; charset=utf-8', ...NOT_KEPT])
const BROKEN_PAGE = prepareHead(500, ['content-type', 'text/html; charset=utf-8', ...NOT_KEPT])

export class DevHandler {
  readonly #app: Handler
  /** What is wrong with newer code. */
  #broken: string | undefined

  constructor(app: Handler) {
    this.#app = app
  }

  break(message: string): void {
    this.#broken = message
  }

  readonly handle = (exchange: Exchange): void | Promise<void> => {
    const { fields, method } = exchange
    const broken = this.#broken
    if (fields.has(DEV_QUESTION)) return exchange.send(broken === undefined ? WELL : BROKEN_TEXT, broken ?? null)
    if (broken !== undefined && isNavigation(method, fields.get('sec-fetch-dest')))
      return exchange.send(BROKEN_PAGE, devPage(broken, true))
    return answering(exchange.record, () => this.#app(exchange))
  }
}
