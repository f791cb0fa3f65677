// A call's answer that is a stream, read as it comes: the items of JSON Lines, the events of an event stream.
import { type ReadEvent, readEvents, readJsonLines } from '../core/event-reader.ts'

/**
 * Read by one loop; leaving it ends the request.
 *
 * @param isText  data of events is text as it is. Else it is JSON, and text only where it is none ('[DONE]')
 * @returns undefined for an answer that is no stream of items
 */
export function answerItems(response: Response, isText = false): AsyncIterable<unknown> | undefined {
  const type = response.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  const { body } = response
  if (body === null) return undefined
  if (type === 'application/jsonl' || type === 'application/x-ndjson') return readJsonLines(body)
  if (type === 'text/event-stream') return isText ? readEvents(body) : valuesOf(readEvents(body))
  return undefined
}

async function* valuesOf(events: AsyncIterable<ReadEvent>): AsyncGenerator<object, void, undefined> {
  for await (const event of events) yield { ...event, data: valueOf(event.data) }
}

function valueOf(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    return data
  }
}
