// Server-sent events, as browsers' EventSource reads them (WHATWG HTML §9.2).
import { type Duration, milliseconds } from '../core/duration.ts'
import { compileResponse } from '../schema/serialize.ts'
import type { In, Out, Schema } from '../schema/schema.ts'
import { BadAnswerError } from './answer.ts'
import type { TextReply } from './content.ts'
import { type CompiledContent, ContentKind, contentKindOf } from './content-kind.ts'
import { type DataEncoder, type EventInit, eventText, MadeEvent } from './event-text.ts'
import { ItemBody, type Keeping } from './item-body.ts'
import type { Streamed } from './json-lines.ts'
import type { LiveStreams } from './live-streams.ts'
import { itemContent } from './opening-answer.ts'

/** One event as a client reads it. */
export interface ServerSentEvent<T> {
  readonly data: T
  /** Default 'message'. */
  readonly event?: string
  /** The last that was sent, with this event or before it. */
  readonly id?: string
  /** Milliseconds, when the event came with one. */
  readonly retry?: number
}

declare const made: unique symbol
/** Opaque: what `event` has made, of data of type T. */
export interface EventToSend<T> {
  readonly [made]: T
}

export interface EventsOptions {
  /** A comment is sent after so long without an event, to the second, so that nobody in between takes the connection for dead. Default '15s'. */
  ping?: Duration | false
  /** How long a client waits before it comes back, sent at the start. Default: the browser's own, 3 s or so. */
  retry?: Duration
}

/**
 * For `returns`: text/event-stream. A handler yields data, checked and filtered by its schema and sent as JSON, or what `event` makes of it.
 *
 * The head goes out with the first event, or after 250 ms without one; what throws before that is answered with a problem, which an
 * EventSource takes as the end. Later it cuts the connection, is logged, and the client comes back. When the server drains, the stream ends
 * with a `retry` of one to five seconds, `signal` aborts, and the generator is ended at its `yield`.
 *
 * `events(text)`: data is text as it is, over as many lines as it has.
 *
 * @example
 * app.get('/ticks', { returns: events(z.int()) }, async function* ({ signal }) {
 *   for await (const tick of every('1s', { signal })) yield event(tick, { id: tick })
 * })
 */
export function events(
  data: TextReply,
  options?: EventsOptions,
): Streamed<ServerSentEvent<string>, string | EventToSend<string>>
export function events<const S extends Schema>(
  data: S,
  options?: EventsOptions,
): Streamed<ServerSentEvent<In<S>>, Out<S> | EventToSend<Out<S>>>
export function events(data: Schema, options: EventsOptions = {}): any {
  return new EventStream(data, options)
}

/**
 * One event with more than data. The same value may be sent to any number of clients, and is made text once.
 *
 * @throws BadAnswerError for a name or an id that is more than one line
 */
export function event<const T>(data: T, init: EventInit = {}): EventToSend<T> {
  return new MadeEvent(data, undefined, init) as unknown as EventToSend<T>
}

/** Data that is text as it is, in a stream of any data: '[DONE]'. */
event.text = (data: string, init: EventInit = {}): EventToSend<never> =>
  new MadeEvent(undefined, data, init) as unknown as EventToSend<never>

/** A comment, which clients leave out. */
event.comment = (comment: string): EventToSend<never> =>
  new MadeEvent(undefined, undefined, { comment }) as unknown as EventToSend<never>

// FastAPI's interval, and that of many others: below the 20 to 60 s after which balancers give up on a silent connection.
const PING_MS = 15_000
// A quarter of a second: most checks in front of the first event are done, and nobody notices that a stream opens so much later.
const PATIENCE_MS = 250
// What clients of a server that stops wait before they come back: spread, so that another is not met by all of them at once.
const LEAST_RETRY_MS = 1000
const MOST_RETRY_MS = 5000

class EventStream extends ContentKind {
  readonly mediaType = 'text/event-stream'
  // no-transform: some compressing proxies hold back what they have not yet a window of. X-Accel-Buffering is nginx's word for the same.
  readonly fields = [
    'content-type',
    'text/event-stream; charset=utf-8',
    'cache-control',
    'no-cache, no-transform',
    'x-accel-buffering',
    'no',
  ]
  readonly form = 'items'
  readonly name = 'events()'
  readonly schema: Schema
  readonly #options: EventsOptions

  constructor(data: Schema, options: EventsOptions) {
    super()
    this.schema = data
    this.#options = options
  }

  compile(where: string, streams: LiveStreams): CompiledContent {
    const { ping, retry } = this.#options
    const encoder = contentKindOf(this.schema)?.form === 'text' ? TEXT : compileResponse(this.schema, where)
    const encode = (item: unknown) =>
      item instanceof MadeEvent ? item.text(encoder) : eventText(encoder.encode(item), undefined)
    const retryMs = retry === undefined ? undefined : Math.trunc(milliseconds(retry, `${where} retry`))
    const pingMs = ping === false ? Infinity : milliseconds(ping ?? PING_MS, `${where} ping`)
    const keeping: Keeping = {
      pingAfterTicks: Math.max(1, Math.ceil(pingMs / 1000)),
      ping: ': ping\n\n',
      opening: retryMs === undefined ? '' : `retry: ${retryMs}\n\n`,
      parting: () => `retry: ${Math.trunc(LEAST_RETRY_MS + Math.random() * (MOST_RETRY_MS - LEAST_RETRY_MS))}\n\n`,
    }
    return itemContent(where, PATIENCE_MS, items => new ItemBody(items, encode, streams, keeping))
  }
}

const TEXT: DataEncoder = {
  encode(value) {
    if (typeof value === 'string') return value
    throw new BadAnswerError('events(text) sends strings')
  },
}
