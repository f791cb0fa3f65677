// Fills a request body from somebody else's stream, and keeps the watch over a slow client that the engine's sweep keeps for its own.
import { UsageError } from '../core/error.ts'
import { bodyAborted, bodyTooSlow } from '../http/errors.ts'
import { type BodySource, IncomingBody } from '../http/request-body.ts'
import type { BodyLimits } from './own-limits.ts'

export abstract class BodyFeed implements BodySource {
  readonly body: IncomingBody
  readonly #limits: BodyLimits
  #isSeen = false
  #isOver = false

  constructor(length: number | undefined, limits: BodyLimits) {
    this.#limits = limits
    this.body = new IncomingBody(this, length === undefined ? 'chunked' : 'length', length, limits.maxBodyBytes)
  }

  readOn(): void {
    if (this.#isOver) return
    watch(this)
    this.read()
  }

  /** Give the body what comes, until it is full. Called again when it has room. */
  protected abstract read(): void
  /** What still comes is nobody's. Called once. */
  protected abstract stop(reason: unknown): void

  /** The last of it has come. */
  protected finish(): void {
    this.#isOver = true
    watched.delete(this)
    this.body.finish()
  }

  /** No more will come, or be taken. */
  fail(error: unknown): void {
    if (this.#isOver) return
    this.#isOver = true
    watched.delete(this)
    this.body.fail(error)
    this.body.drop()
    this.stop(error)
  }

  /** The client has gone, or the exchange is over: no error is made for a body that is whole. */
  abandon(cause?: unknown): void {
    if (!this.#isOver) this.fail(bodyAborted(cause))
  }

  /** @param elapsedMs  since the last look at all of them: the first at this one may come sooner, and does not count */
  checkPace(elapsedMs: number): void {
    const { body } = this
    if (!this.#isSeen) {
      this.#isSeen = true
      return
    }
    const { minRateGraceMs, bodyMinBytesPerSecond } = this.#limits
    // The time in which nobody wants more is not the client's.
    if (!body.isAwaited) return
    body.readingMs += elapsedMs
    if (body.readingMs <= minRateGraceMs || body.received * 1000 >= bodyMinBytesPerSecond * body.readingMs) return
    this.fail(bodyTooSlow())
  }
}

/** Somebody else has read the body, or has begun to. */
export function bodyTaken(what: string): UsageError {
  return new UsageError('APP_BODY_TAKEN', what)
}

const LOOK_MS = 1000
const watched = new Set<BodyFeed>()
let looker: NodeJS.Timeout | undefined
let lookedMs = 0

// One timer for all of them, and none while nobody waits.
function watch(feed: BodyFeed): void {
  watched.add(feed)
  if (looker !== undefined) return
  lookedMs = performance.now()
  looker = setInterval(look, LOOK_MS).unref()
}

function look(): void {
  const nowMs = performance.now()
  // A loop that was held up has not let clients speak: it counts as one look.
  const elapsedMs = Math.min(nowMs - lookedMs, 2 * LOOK_MS)
  lookedMs = nowMs
  for (const feed of watched) feed.checkPace(elapsedMs)
  if (watched.size > 0) return
  clearInterval(looker)
  looker = undefined
}
