// Makes a streamed answer whole, where it is short and soon over: what is to be kept has to be. Any other goes on as it came.
import type { Answer } from './answer.ts'

export interface CollectLimits {
  readonly maxBytes: number
  /** For which whoever asked waits without having got anything yet. */
  readonly maxMs: number
}

type Reader = ReadableStreamDefaultReader<Uint8Array | string>

/**
 * Makes a stream into bytes.
 *
 * @returns whether the body is whole now; of one that is too long, or does not end in time, the answer is as it was
 */
export async function collected(answer: Answer, { maxBytes, maxMs }: CollectLimits): Promise<boolean> {
  const { body } = answer
  if (!(body instanceof ReadableStream)) return body === null || body.length <= maxBytes
  const isEndless = /^text\/event-stream\b/i.test(answer.headers.get('content-type') ?? '')
  if (isEndless || (answer.length !== undefined && answer.length > maxBytes)) return false
  // stream() takes texts for pieces as well.
  const reader = (body as ReadableStream<Uint8Array | string>).getReader()
  const pieces: Uint8Array[] = []
  let size = 0
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>(resolve => (timer = setTimeout(resolve, maxMs, 'late')))
  try {
    for (;;) {
      const reading = reader.read()
      const read = await Promise.race([reading, late])
      if (read === 'late') {
        answer.body = continued(pieces, reader, reading)
        return false
      }
      if (read.done) break
      const piece = bytesOf(read.value)
      pieces.push(piece)
      if ((size += piece.byteLength) <= maxBytes) continue
      answer.body = continued(pieces, reader)
      return false
    }
  } finally {
    clearTimeout(timer)
  }
  answer.body = Buffer.concat(pieces)
  answer.length = undefined
  return true
}

export function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(bytes)
      controller.close()
    },
  })
}

/**
 * What has been read, and then the rest.
 *
 * @param reading  the next piece, which has been asked for already
 */
function continued(
  pieces: readonly Uint8Array[],
  reader: Reader,
  reading?: ReturnType<Reader['read']>,
): ReadableStream<Uint8Array> {
  let at = 0
  let asked = reading
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (at < pieces.length) return controller.enqueue(pieces[at++]!)
      const next = asked ?? reader.read()
      asked = undefined
      const { done, value } = await next
      if (done) controller.close()
      else controller.enqueue(bytesOf(value))
    },
    cancel: reason => reader.cancel(reason),
  })
}

function bytesOf(piece: Uint8Array | string): Uint8Array {
  return typeof piece === 'string' ? Buffer.from(piece) : piece
}
