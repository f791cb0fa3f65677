// The time a call may take, its retries and waits included, and the caller's own signal beside it.
import { pause } from '../core/pause.ts'
import type { CallName } from './errors.ts'
import { CallError } from './errors.ts'

export class CallTime {
  /** Aborts when the time is up and when the caller's does. */
  readonly signal: AbortSignal
  readonly #endsMs: number
  readonly #timer: ReturnType<typeof setTimeout> | undefined

  constructor(call: CallName, timeoutMs: number, own: AbortSignal | undefined) {
    const late = new AbortController()
    this.signal = own ? AbortSignal.any([own, late.signal]) : late.signal
    this.#endsMs = performance.now() + timeoutMs
    const passed = () => late.abort(new CallError('CLIENT_TIMED_OUT', call, `gave no answer within ${timeoutMs} ms`))
    if (timeoutMs === 0) passed()
    // setTimeout takes no longer delay: 24 days. What is longer is not bounded.
    this.#timer = timeoutMs > 0 && timeoutMs < 2 ** 31 ? setTimeout(passed, timeoutMs) : undefined
  }

  get leftMs(): number {
    return Math.max(0, this.#endsMs - performance.now())
  }

  /** The call is over, or what follows is a stream that may take its time: the caller's signal still counts. */
  lift(): void {
    clearTimeout(this.#timer)
  }

  /** @throws the reason of `signal` when it aborts first */
  pause(waitMs: number): Promise<void> {
    return pause(waitMs, this.signal)
  }
}
