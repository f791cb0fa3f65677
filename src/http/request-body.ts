// The body of a request between the decoder that fills it and the handler that reads it, with back-pressure in between.
import { UsageError } from '../core/error.ts'
import type { PieceSink } from './body-decoder.ts'
import type { BodyKind } from './body-framing.ts'
import { bodyTooLarge } from './errors.ts'
import type { RequestBody } from './exchange.ts'

/** Who receives the bytes: told when the handler waits for more. */
export interface BodySource {
  /** Read on; before the first byte, send `100 Continue` if the client waits for it. */
  readOn(): void
}

// 64 KiB, one read of the socket: more than this is not held for a handler that does not take it.
const HELD_BYTES = 65_536

// Each piece costs some 150 bytes beside its own: a body in chunks of one byte would take a hundred times its size. From the 16th
// piece that waits on, small ones are copied together, 16 KiB at a time; bodies as clients send them never come so far.
const SMALL_BYTES = 512
const LOOSE_PIECES = 16
const PACK_BYTES = 16_384

const NO_BYTES = Buffer.alloc(0)

type Use = 'unread' | 'whole' | 'pieces' | 'dropped'

interface Waiter {
  readonly resolve: (value: any) => void
  readonly reject: (error: unknown) => void
}

export class IncomingBody implements RequestBody, PieceSink {
  readonly kind: BodyKind
  readonly length: number | undefined
  /** Bytes so far. */
  received = 0
  /** Time during which we were waiting for more; kept by the connection's sweep. */
  readingMs = 0
  readonly #source: BodySource
  #maxBytes: number
  #use: Use = 'unread'
  #pieces: Buffer[] = []
  #heldBytes = 0
  /** Where small pieces are copied together, and the piece that holds what is there already. */
  #pack: Buffer | undefined
  #packed: Buffer | undefined
  #isWhole = false
  #error: unknown = undefined
  #waiter: Waiter | undefined

  constructor(source: BodySource, kind: BodyKind, length: number | undefined, maxBytes: number) {
    this.#source = source
    this.kind = kind
    this.length = length
    this.#maxBytes = maxBytes
  }

  /** The handler waits for bytes. */
  get isAwaited(): boolean {
    return this.#waiter !== undefined
  }

  /** Enough is held: reading on would only move the client's bytes into our memory. */
  get isFull(): boolean {
    return this.#use === 'dropped' || (this.#waiter === undefined && this.#heldBytes >= HELD_BYTES)
  }

  bytes(maxBytes?: number): Uint8Array | Promise<Uint8Array> {
    if (maxBytes !== undefined) this.#maxBytes = maxBytes
    this.#take('whole')
    if (this.#isOver()) throw this.#overflow()
    if (this.#error !== undefined) throw this.#error
    if (this.#isWhole) return this.#join()
    return this.#wait()
  }

  limit(maxBytes: number): void {
    this.#maxBytes = maxBytes
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    this.#take('pieces')
    if (this.#isOver()) this.#overflow()
    return {
      next: () => this.#next(),
      return: () => {
        this.drop()
        return Promise.resolve({ done: true, value: undefined })
      },
    }
  }

  /** A piece has arrived. */
  push(piece: Buffer): void {
    this.received += piece.length
    if (this.#use === 'dropped') return
    if (piece.length < SMALL_BYTES && this.#pieces.length >= LOOSE_PIECES) this.#pushPacked(piece)
    else this.#pieces.push(piece)
    this.#heldBytes += piece.length
    if (this.#use === 'unread') return
    if (this.#isOver()) this.#settle(this.#overflow())
    else if (this.#use === 'pieces') this.#settle()
  }

  #pushPacked(piece: Buffer): void {
    const last = this.#pieces.length - 1
    const used = this.#pieces[last] === this.#packed ? this.#packed!.length : PACK_BYTES
    if (used + piece.length <= PACK_BYTES) {
      this.#pack!.set(piece, used)
      this.#pieces[last] = this.#packed = this.#pack!.subarray(0, used + piece.length)
    } else {
      this.#pack = Buffer.allocUnsafeSlow(PACK_BYTES)
      this.#pack.set(piece)
      this.#pieces.push((this.#packed = this.#pack.subarray(0, piece.length)))
    }
  }

  /** The last piece has arrived. */
  finish(): void {
    this.#isWhole = true
    this.#settle()
  }

  /** No more will come. What is held is not handed out any more: half a body must not look like one. */
  fail(error: unknown): void {
    if (this.#isWhole || this.#error !== undefined) return
    this.#error = error
    this.#pieces = []
    this.#heldBytes = 0
    this.#settle(error)
  }

  /** Nobody will read the rest. */
  drop(): void {
    this.#use = 'dropped'
    this.#pieces = []
    this.#heldBytes = 0
  }

  #take(use: Use): void {
    if (this.#use !== 'unread')
      throw new UsageError('HTTP_BODY_READ_TWICE', 'the body of a request can be read only once')
    this.#use = use
  }

  #isOver(): boolean {
    return (this.length ?? this.received) > this.#maxBytes
  }

  #overflow(): unknown {
    this.#error ??= bodyTooLarge(this.#maxBytes)
    this.drop()
    return this.#error
  }

  #join(): Uint8Array {
    const pieces = this.#pieces
    this.#pieces = []
    this.#heldBytes = 0
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
  }

  #next(): Promise<IteratorResult<Uint8Array>> {
    // Two calls at once are answered in order, as by an async generator.
    if (this.#waiter !== undefined) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const { resolve: first, reject } = this.#waiter
      this.#waiter = {
        resolve: value => (first(value), resolve()),
        reject: error => (reject(error), resolve()),
      }
      return promise.then(() => this.#next())
    }
    const piece = this.#pieces.shift()
    if (piece !== undefined) {
      const wasFull = this.isFull
      this.#heldBytes -= piece.length
      if (wasFull && !this.isFull && !this.#isWhole) this.#source.readOn()
      return Promise.resolve({ done: false, value: piece })
    }
    if (this.#error !== undefined) return Promise.reject(this.#error)
    if (this.#isWhole || this.#use === 'dropped') return Promise.resolve({ done: true, value: undefined })
    return this.#wait()
  }

  #wait(): Promise<any> {
    const { promise, resolve, reject } = Promise.withResolvers<any>()
    this.#waiter = { resolve, reject }
    this.#source.readOn()
    return promise
  }

  #settle(error?: unknown): void {
    const waiter = this.#waiter
    if (waiter === undefined) return
    this.#waiter = undefined
    if (error !== undefined) waiter.reject(error)
    else if (this.#use === 'whole') waiter.resolve(this.#join())
    else {
      const piece = this.#pieces.shift()
      if (piece !== undefined) this.#heldBytes -= piece.length
      waiter.resolve(piece === undefined ? { done: true, value: undefined } : { done: false, value: piece })
    }
  }
}

/** The body of a request that has none. */
export const NO_BODY: RequestBody = {
  kind: 'none',
  length: 0,
  bytes: () => NO_BYTES,
  limit: () => {},

  async *[Symbol.asyncIterator]() {},
}
