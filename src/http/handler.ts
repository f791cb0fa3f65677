// The one function shape above the engine.
import type { Exchange } from './exchange.ts'

/** Answers an exchange, now or later. What it throws or rejects with becomes a 500 and is reported through `onError`. */
export type Handler = (exchange: Exchange) => void | Promise<void>
