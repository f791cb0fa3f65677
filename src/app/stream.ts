// Streamed bodies: from a web stream to the writer, with back-pressure, and cancelled when the client goes away.
import { MillraceError } from '../core/error.ts'
import { answerCut } from '../http/errors.ts'
import type { Exchange, ResponseWriter } from '../http/exchange.ts'
import type { Log } from './context.ts'

/** A body that writes itself; made a web stream only where somebody asks for one. */
export abstract class PieceSource {
  /** Settles when the last piece is out or the answer was cut; never rejects. */
  abstract pipe(exchange: Exchange, writer: ResponseWriter, log?: Log): Promise<void>
  abstract toStream(): ReadableStream<Uint8Array>
  /** Nobody will read it, or no more of it. */
  abstract discard(): void
}

/** Reason of `signal` when the server has ended a stream that would have gone on: what is written goes out, and then its end. */
export class StreamEnded extends MillraceError {
  constructor() {
    super('APP_STREAM_ENDED', 'the server stops: it has ended this stream, and its client will come back')
  }
}

/**
 * Writes every piece as it comes. An error of the stream after the head is out cuts the connection, so that the client can tell
 * that the body is not whole; it is left in the record, logged, and never thrown.
 */
export async function pipeBody(
  exchange: Exchange,
  writer: ResponseWriter,
  body: ReadableStream<Uint8Array>,
  trailers: (() => Readonly<Record<string, string>>) | undefined,
  log: Log | undefined,
): Promise<void> {
  const reader = body.getReader()
  const { signal } = exchange
  const cancel = () => {
    if (!(signal.reason instanceof StreamEnded)) reader.cancel(signal.reason).catch(() => {})
  }
  if (signal.aborted) cancel()
  else signal.addEventListener('abort', cancel, { once: true })
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      if (!(value instanceof Uint8Array) && typeof value !== 'string')
        throw new TypeError('a streamed body yields bytes or strings')
      if (!writer.write(value)) await writer.drained()
    }
    // Half-closed by a client that went away, the connection waits for an end that would be a lie.
    if (signal.aborted && !(signal.reason instanceof StreamEnded)) writer.abort(signal.reason)
    else writer.end(trailers && Object.entries(trailers()).flat())
  } catch (error) {
    exchange.record.error = error
    if (signal.aborted) writer.abort(signal.reason)
    else if (log === undefined) writer.abort(error)
    else {
      log.error({ err: error, method: exchange.method, route: exchange.record.route }, 'answer cut: its stream failed')
      writer.abort(answerCut(error))
    }
    await reader.cancel(error).catch(() => {})
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}
