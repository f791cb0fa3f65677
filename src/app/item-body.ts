// A body made of items: each is asked for when the client has taken the last, made text, and written.
//
// Its source is a generator for most. However the answer ends, the generator does: at its `yield`, so that its `finally` runs, at once or
// as soon as what it awaits has settled. What ends it: the client that goes away, a deadline, a drain, an item that is not what was declared.
import { answerCut } from '../http/errors.ts'
import type { Exchange, ResponseWriter } from '../http/exchange.ts'
import { BadAnswerError } from './answer.ts'
import type { Log } from './context.ts'
import type { LiveStream, LiveStreams } from './live-streams.ts'
import { PieceSource, StreamEnded } from './stream.ts'

export type Items = AsyncIterator<unknown> | Iterator<unknown>
type Step = IteratorResult<unknown>

/** What a stream that has no end of its own sends while nothing happens, and at its end. */
export interface Keeping {
  /** How many ticks without an item before `ping` is sent; Infinity for never. */
  readonly pingAfterTicks: number
  readonly ping: string
  /** Written before anything else. */
  readonly opening: string
  /** Written when the server ends it. */
  parting(): string
}

/** @throws BadAnswerError for what yields nothing */
export function itemsOf(value: unknown, where: string): Items {
  if (typeof value === 'object' && value !== null) {
    if (Symbol.asyncIterator in value) return (value as AsyncIterable<unknown>)[Symbol.asyncIterator]()
    if (Symbol.iterator in value) return (value as Iterable<unknown>)[Symbol.iterator]()
  }
  throw new BadAnswerError(
    `${where}: a stream is what a generator, an iterable or a ReadableStream yields; the handler returned none of them`,
  )
}

export class ItemBody extends PieceSource implements LiveStream {
  readonly #items: Items
  readonly #encode: (item: unknown) => string | Uint8Array
  readonly #streams: LiveStreams
  readonly #keeping: Keeping | undefined
  #exchange: Exchange | undefined
  #writer: ResponseWriter | undefined
  /** Asked for before there was somebody to write it to. */
  #asked: Promise<Step> | Step | undefined
  #isStopped = false
  /** Its clean-up, while that is under way. */
  #ending: Promise<unknown> | undefined
  #log: Log | undefined
  /** Since the last write. */
  #ticks = 0
  #isBlocked = false

  constructor(items: Items, encode: (item: unknown) => string | Uint8Array, streams: LiveStreams, keeping?: Keeping) {
    super()
    this.#items = items
    this.#encode = encode
    this.#streams = streams
    this.#keeping = keeping
  }

  /**
   * Asks for the first item. From now on the end of the exchange is the end of the source.
   *
   * @param patienceMs  how long it is waited for; Infinity: until it is there
   * @throws what the source throws by then
   */
  async open(exchange: Exchange, patienceMs: number): Promise<void> {
    this.#exchange = exchange
    const { signal } = exchange
    if (signal.aborted) return this.discard()
    // Itself and no closure, as in channel.ts: there may be thousands of them (bench sse).
    signal.addEventListener('abort', this, { once: true })
    const asked = this.#items.next()
    this.#asked = asked
    if (!(asked instanceof Promise)) return
    if (patienceMs === Infinity) this.#asked = await asked
    else await settledWithin(patienceMs, asked)
  }

  async pipe(exchange: Exchange, writer: ResponseWriter, log?: Log): Promise<void> {
    this.#writer = writer
    this.#log = log
    this.#streams.add(this)
    const { signal } = exchange
    try {
      if (this.#keeping !== undefined && this.#keeping.opening !== '') writer.write(this.#keeping.opening)
      while (!this.#isStopped) {
        let step = this.#asked ?? this.#items.next()
        this.#asked = undefined
        if (step instanceof Promise) step = await step
        if (step.done || this.#isStopped) break
        this.#ticks = 0
        if (!writer.write(this.#encode(step.value))) await this.#room(writer)
      }
      if (signal.aborted) writer.abort(signal.reason)
      else writer.end()
    } catch (error) {
      // What was written before it goes out first.
      await turnEnd()
      // What it throws because the client has left is no failure of its own.
      if (signal.aborted) writer.abort(signal.reason)
      else {
        exchange.record.error = error
        if (log === undefined) writer.abort(error)
        else {
          log.error(
            { err: error, method: exchange.method, route: exchange.record.route },
            'answer cut: its stream failed',
          )
          writer.abort(answerCut(error))
        }
      }
      this.discard()
    } finally {
      await this.#ending
      this.#streams.delete(this)
    }
  }

  async #room(writer: ResponseWriter): Promise<void> {
    this.#isBlocked = true
    await writer.drained()
    // A client as fast as we are would otherwise have the loop for itself.
    await turnEnd()
    this.#isBlocked = false
  }

  tick(): void {
    const keeping = this.#keeping
    if (keeping === undefined || this.#isBlocked || this.#isStopped) return
    if (++this.#ticks < keeping.pingAfterTicks) return
    this.#ticks = 0
    this.#writer!.write(keeping.ping)
  }

  leave(): void {
    const keeping = this.#keeping
    if (keeping === undefined || this.#isStopped) return
    this.#writer!.write(keeping.parting())
    this.#writer!.part()
    this.#exchange!.abort(new StreamEnded())
    this.discard()
  }

  /** `signal` has aborted. */
  handleEvent(): void {
    this.discard()
  }

  discard(): void {
    if (this.#isStopped) return
    this.#isStopped = true
    try {
      const ended: unknown = this.#items.return?.(undefined)
      if (ended instanceof Promise) this.#ending = ended.catch((error: unknown) => this.#failedToEnd(error))
    } catch (error) {
      this.#failedToEnd(error)
    }
  }

  #failedToEnd(error: unknown): void {
    this.#log?.error({ err: error, route: this.#exchange?.record.route }, 'the clean-up of a stream failed')
  }

  /** For middleware that wants to change it: pings and the end by a drain go through it as items do. */
  toStream(): ReadableStream<Uint8Array> {
    const exchange = this.#exchange!
    let controller: ReadableStreamDefaultController<Uint8Array>
    let makeRoom: (() => void) | undefined
    const writer: ResponseWriter = {
      write(piece) {
        controller.enqueue(typeof piece === 'string' ? Buffer.from(piece) : piece)
        return false
      },
      drained: () => new Promise<void>(resolve => (makeRoom = resolve)),
      end() {
        controller.close()
        makeRoom?.()
      },
      part() {
        this.end()
      },
      abort(reason) {
        controller.error(reason)
        makeRoom?.()
      },
    }
    return new ReadableStream<Uint8Array>(
      {
        start: given => void (controller = given),
        pull: () => {
          if (this.#writer === undefined) void this.pipe(exchange, writer)
          makeRoom?.()
          makeRoom = undefined
        },
        cancel: () => {
          this.discard()
          makeRoom?.()
        },
      },
      { highWaterMark: 0 },
    )
  }
}

function turnEnd(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

/** Resolves when it has settled well, or the time is up. @throws what it rejects with by then */
function settledWithin(timeoutMs: number, pending: Promise<unknown>): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, timeoutMs)
    pending.then(
      () => {
        clearTimeout(timer)
        resolve()
      },
      (error: unknown) => {
        clearTimeout(timer)
        reject(error)
      },
    )
  })
}
