// Answers that are streams: items of JSON Lines, and server-sent events that go on when the connection is lost.
//
// As EventSource does, the client comes back with Last-Event-ID when the connection breaks, and when the server ends the stream with a
// `retry`, as Millrace does when it drains. Unlike EventSource, it takes a stream that ends by itself for ended: it may be finite.
import { EventReader, readJsonLines, texts } from '../core/event-reader.ts'
import type { ServerSentEvent } from '../app/event-stream.ts'
import { pause } from '../core/pause.ts'
import { CallError, type CallName } from './errors.ts'
import { received } from './received.ts'
import { retryAfterMs } from './retry.ts'

/** @returns what the Content-Type says, where it is a stream of items */
export function itemsOf(response: Response): 'lines' | 'events' | undefined {
  if (!response.ok || response.body === null) return undefined
  const type = response.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (type === 'application/jsonl' || type === 'application/x-ndjson') return 'lines'
  return type === 'text/event-stream' ? 'events' : undefined
}

/** @throws CallError `CLIENT_NO_ANSWER` from the loop, when the stream is cut or a line is no JSON */
export async function* lines(response: Response, call: CallName, signal: AbortSignal): AsyncGenerator<unknown, void> {
  try {
    yield* readJsonLines(response.body!)
  } catch (error) {
    throw signal.aborted ? signal.reason : brokenOff(call, error)
  }
}

export interface Reconnecting {
  /** Data is text as it is. Else it is JSON, and text only where it is none ('[DONE]'). */
  readonly isText: boolean
  /** Ends it, also while it waits. */
  readonly signal: AbortSignal
  /** Asks again; undefined where the call may not be made twice. */
  readonly again: ((lastId: string | undefined) => Promise<Response>) | undefined
}

// What browsers wait where the server says nothing: Chrome and Firefox 3 to 5 s.
const RETRY_MS = 3000
// Doubled with each failure in a row, up to here: a server that is away for an hour is asked 120 times.
const MOST_RETRY_MS = 30_000

/** @throws CallError, AnswerError from the loop, when it cannot go on; the signal's reason when it aborts */
export async function* events(
  first: Response,
  call: CallName,
  of: Reconnecting,
): AsyncGenerator<ServerSentEvent<unknown>, void> {
  let lastId: string | undefined
  let retryMs = RETRY_MS
  for (let response: Response | undefined = first; response;) {
    const reader = new EventReader()
    let isBroken: unknown
    try {
      for await (const text of texts(response.body!))
        for (const event of reader.read(text)) {
          lastId = event.id ?? lastId
          yield {
            ...event,
            ...(lastId === undefined ? {} : { id: lastId }),
            data: of.isText ? event.data : valueOf(event.data),
          }
        }
    } catch (error) {
      if (of.signal.aborted) throw of.signal.reason
      isBroken = error
    }
    lastId = reader.lastId ?? lastId
    retryMs = reader.retryMs ?? retryMs
    if (isBroken === undefined && !reader.asksBack) return
    if (!of.again) {
      if (isBroken === undefined) return
      throw brokenOff(call, isBroken)
    }
    response = await reconnect(call, of, lastId, retryMs)
  }
}

/** @returns undefined when the server says with 204 that there is no more */
async function reconnect(
  call: CallName,
  { again, signal }: Reconnecting,
  lastId: string | undefined,
  retryMs: number,
): Promise<Response | undefined> {
  for (let failures = 0, askedMs = 0; ; failures++) {
    // Spread: a server that comes back would meet all its clients at once.
    const waitMs = Math.min(MOST_RETRY_MS, retryMs * 2 ** failures) * (0.5 + Math.random() / 2)
    await pause(failures === 0 ? retryMs : Math.max(askedMs, waitMs), signal)
    askedMs = 0
    let response: Response
    try {
      response = await again!(lastId)
    } catch (error) {
      if (signal.aborted) throw signal.reason
      if (error instanceof CallError) continue
      throw error
    }
    if (response.status === 204) return undefined
    if (itemsOf(response) === 'events') return response
    if (response.status === 429 || response.status >= 500) {
      askedMs = retryAfterMs(response.headers) ?? 0
      await response.body?.cancel()
      continue
    }
    const answer = await received(response, call)
    throw new CallError('CLIENT_NO_ANSWER', call, `could not go on: it was answered ${answer.status} when it came back`)
  }
}

function brokenOff(call: CallName, error: unknown): CallError {
  return new CallError('CLIENT_NO_ANSWER', call, `was cut off: ${(error as Error).message}`, error)
}

function valueOf(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    return data
  }
}
