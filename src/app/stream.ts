// Streamed bodies: from a web stream to the writer, with back-pressure, and cancelled when the client goes away.
import type { Exchange, ResponseWriter } from '../http/exchange.ts'

/**
 * Writes every piece as it comes. An error of the stream after the head is out cuts the connection, so that the client can tell
 * that the body is not whole; it is left in the record and never thrown.
 */
export async function pipeBody(
  exchange: Exchange,
  writer: ResponseWriter,
  body: ReadableStream<Uint8Array>,
  trailers?: () => Readonly<Record<string, string>>,
): Promise<void> {
  const reader = body.getReader()
  const { signal } = exchange
  const cancel = () => void reader.cancel(signal.reason).catch(() => {})
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
    if (signal.aborted) writer.abort(signal.reason)
    else writer.end(trailers && Object.entries(trailers()).flat())
  } catch (error) {
    exchange.record.error = error
    writer.abort(error)
    await reader.cancel(error).catch(() => {})
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}
