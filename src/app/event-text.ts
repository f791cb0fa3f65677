// The text of one server-sent event.
import { type Duration, milliseconds } from '../core/duration.ts'
import { BadAnswerError } from './answer.ts'

export interface EventInit {
  /** Its name, which a client listens for. Default 'message'. */
  readonly event?: string
  /** Comes back as Last-Event-ID when the client has lost the connection; '' makes it forget the last. */
  readonly id?: string | number
  /** How long the client waits from now on before it comes back. */
  readonly retry?: Duration
  /** For who reads along; clients leave it out. */
  readonly comment?: string
}

/** Of the data of one stream. */
export interface DataEncoder {
  encode(data: unknown): string
}

/** Lines of the standard: each ends at CR, LF or both. */
const LINE_END = /\r\n|[\r\n]/

/** @param data  undefined: none, which a client is not told about as an event */
export function eventText(data: string | undefined, init: EventInit | undefined): string {
  let text = ''
  if (init?.comment !== undefined) for (const line of init.comment.split(LINE_END)) text += `: ${line}\n`
  if (init?.event !== undefined) text += `event: ${init.event}\n`
  if (data !== undefined) text += LINE_END.test(data) ? dataLines(data) : `data: ${data}\n`
  if (init?.id !== undefined) text += `id: ${init.id}\n`
  if (init?.retry !== undefined) text += `retry: ${Math.trunc(milliseconds(init.retry, 'event() retry'))}\n`
  return `${text}\n`
}

function dataLines(data: string): string {
  return data
    .split(LINE_END)
    .map(line => `data: ${line}\n`)
    .join('')
}

/** What `event` makes. Its text is kept, because what is sent to one client is often sent to all. */
export class MadeEvent {
  readonly #data: unknown
  readonly #text: string | undefined
  readonly #init: EventInit
  #encoder: DataEncoder | undefined
  #encoded = ''

  /** @param text  data that is text already */
  constructor(data: unknown, text: string | undefined, init: EventInit) {
    const { event, id } = init
    if (event !== undefined && LINE_END.test(event)) throw oneLine('event', event)
    if (typeof id === 'string' && (LINE_END.test(id) || id.includes('\0'))) throw oneLine('id', id)
    this.#data = data
    this.#text = text
    this.#init = init
  }

  text(encoder: DataEncoder): string {
    if (this.#encoder === encoder) return this.#encoded
    const isData = this.#text === undefined && this.#data !== undefined
    this.#encoded = eventText(isData ? encoder.encode(this.#data) : this.#text, this.#init)
    this.#encoder = encoder
    return this.#encoded
  }
}

function oneLine(what: string, found: string): BadAnswerError {
  return new BadAnswerError(`event(): ${what} is one line, not ${JSON.stringify(found)}`)
}
