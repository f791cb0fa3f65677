// Reads a text/event-stream, as WHATWG HTML §9.2.6 interprets it.

/** One event, its data still text. */
export interface ReadEvent {
  readonly data: string
  /** undefined: 'message'. */
  readonly event?: string
  /** The last that was sent, with this event or before it. */
  readonly id?: string
  /** Milliseconds, when the event came with one. */
  readonly retry?: number
}

/**
 * Takes text in any cut and gives the events that it completes. One that the end of the stream leaves incomplete is dropped, as the
 * standard says: its data may be half of what was sent.
 */
export class EventReader {
  /** That of the last event which is complete: where to go on after a lost connection. */
  lastId: string | undefined
  /** Milliseconds to wait before coming back, as the server has said last. */
  retryMs: number | undefined
  /** It has said so since the last event: it is about to end, and wants its client back. */
  asksBack = false
  #rest = ''
  #isFirst = true
  #data: string[] | undefined
  #event = ''
  #id: string | undefined
  #retry: number | undefined

  read(text: string): readonly ReadEvent[] {
    let all = this.#rest + text
    if (this.#isFirst && all !== '') {
      if (all.startsWith('\u{feff}')) all = all.slice(1)
      this.#isFirst = false
    }
    const events: ReadEvent[] = []
    let start = 0
    // What has been looked at before holds no line end, but for a CR at its very end.
    for (let at = Math.max(0, this.#rest.length - 1); at < all.length; at++) {
      const char = all.charCodeAt(at)
      if (char !== LF && char !== CR) continue
      // An LF behind it may be about to come.
      if (char === CR && at + 1 === all.length) break
      this.#line(all.slice(start, at), events)
      if (char === CR && all.charCodeAt(at + 1) === LF) at++
      start = at + 1
    }
    this.#rest = all.slice(start)
    return events
  }

  #line(line: string, events: ReadEvent[]): void {
    if (line === '') return this.#dispatch(events)
    const colon = line.indexOf(':')
    if (colon === 0) return
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === 'data') (this.#data ??= []).push(value)
    else if (field === 'event') this.#event = value
    else if (field === 'id') {
      if (!value.includes('\0')) this.#id = value
    } else if (field === 'retry' && /^\d+$/.test(value)) this.#retry = Number(value)
  }

  #dispatch(events: ReadEvent[]): void {
    this.lastId = this.#id
    if (this.#retry !== undefined) this.retryMs = this.#retry
    if (this.#data !== undefined) this.asksBack = false
    else if (this.#retry !== undefined) this.asksBack = true
    if (this.#data !== undefined)
      events.push({
        data: this.#data.join('\n'),
        ...(this.#event === '' ? {} : { event: this.#event }),
        ...(this.#id === undefined ? {} : { id: this.#id }),
        ...(this.#retry === undefined ? {} : { retry: this.#retry }),
      })
    this.#data = undefined
    this.#event = ''
    this.#retry = undefined
  }
}

const CR = 13
const LF = 10

/** The events of a body as they come. Leaving the loop cancels the body. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ReadEvent, void, undefined> {
  const reader = new EventReader()
  for await (const text of texts(body)) yield* reader.read(text)
}

/**
 * The documents of a body of JSON Lines as they come; empty lines are left out. Leaving the loop cancels the body.
 *
 * @throws SyntaxError for a line that is no JSON
 */
export async function* readJsonLines(body: ReadableStream<Uint8Array>): AsyncGenerator<unknown, void, undefined> {
  let rest = ''
  for await (const text of texts(body)) {
    const lines = (rest + text).split('\n')
    rest = lines.pop()!
    for (const line of lines) if (line.trim() !== '') yield JSON.parse(line)
  }
  if (rest.trim() !== '') yield JSON.parse(rest)
}

/** The text of a body as it comes. Leaving the loop cancels the body. */
export async function* texts(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder()
  // A reader, because Safari's streams are not iterable.
  const reader = body.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield decoder.decode(value, { stream: true })
    }
  } finally {
    // Of no use to a body that has ended or failed.
    reader.cancel().catch(() => {})
  }
}
