// From the bytes after a head to the bytes of its body: a state machine for each of the two framings. Pure.
//
// Chunked (RFC 9112 §7.1) without the leniencies that smuggling lives on: 1 to 16 hex digits, CR LF and nothing else as line end,
// no whitespace around extensions, trailers checked and dropped.
import { protocolError } from './errors.ts'
import { COLON, CR, DQUOTE, EQUALS, BACKSLASH, HEX_VALUE, HTAB, IS_TOKEN, IS_VALUE, LF, SEMICOLON } from './grammar.ts'
import type { Limits } from './limits.ts'
import type { ReceiveBuffer } from './receive-buffer.ts'

/** Takes the pieces of a body: slices of what was received, not copies. */
export interface PieceSink {
  push(piece: Buffer): void
}

export interface BodyDecoder {
  /** Bytes of body that are still to come; undefined when only the end will tell. */
  readonly remaining: number | undefined
  /**
   * Consumes what belongs to the body and hands it on.
   *
   * @returns true when the body is complete; what is left in `input` is the next request
   * @throws ProtocolError
   */
  decode(input: ReceiveBuffer, sink: PieceSink): boolean
}

export class LengthDecoder implements BodyDecoder {
  remaining: number

  constructor(length: number) {
    this.remaining = length
  }

  decode(input: ReceiveBuffer, sink: PieceSink): boolean {
    const taken = Math.min(this.remaining, input.length)
    if (taken > 0) {
      const { bytes, start } = input
      sink.push(bytes.subarray(start, start + taken))
      this.remaining -= taken
      input.consumeTo(start + taken)
    }
    return this.remaining === 0
  }
}

// States of the chunked decoder, in the order in which a well-formed body visits them.
const SIZE = 0
const EXTENSION_NAME = 1
const EXTENSION_IN_NAME = 2
const EXTENSION_VALUE = 3
const EXTENSION_TOKEN = 4
const EXTENSION_QUOTED = 5
const EXTENSION_ESCAPE = 6
const EXTENSION_END = 7
const SIZE_LF = 8
const DATA = 9
const DATA_CR = 10
const DATA_LF = 11
const TRAILER_START = 12
const TRAILER_NAME = 13
const TRAILER_VALUE = 14
const TRAILER_LF = 15
const END_LF = 16
const DONE = 17

const MAX_SIZE_DIGITS = 16

// Fields that frame, route or describe the message: they were acted upon before the trailer came (RFC 9110 §6.5.1).
const NOT_IN_TRAILERS = new Set([
  'transfer-encoding',
  'transfer_encoding',
  'content-length',
  'content_length',
  'host',
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'max-forwards',
  'authorization',
  'proxy-authorization',
  'cookie',
  'content-encoding',
  'content-type',
  'content-range',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
])

export class ChunkedDecoder implements BodyDecoder {
  readonly remaining = undefined
  readonly #limits: Limits
  #state = SIZE
  /** While in SIZE: digits seen. */
  #digits = 0
  /** Of the chunk: first its size, then what is left of it. */
  #size = 0
  #chunkExtensionBytes = 0
  #extensionsBytes = 0
  #trailerBytes = 0
  #trailerName = ''

  constructor(limits: Limits) {
    this.#limits = limits
  }

  decode(input: ReceiveBuffer, sink: PieceSink): boolean {
    const { bytes, end } = input
    let at = input.start
    let state = this.#state
    while (at < end && state !== DONE) {
      if (state === DATA) {
        const taken = Math.min(this.#size, end - at)
        sink.push(bytes.subarray(at, at + taken))
        this.#size -= taken
        at += taken
        if (this.#size === 0) state = DATA_CR
        continue
      }
      state = this.#step(state, bytes[at]!)
      at++
    }
    this.#state = state
    input.consumeTo(at)
    return state === DONE
  }

  #step(state: number, byte: number): number {
    switch (state) {
      case SIZE: {
        const digit = HEX_VALUE[byte]!
        if (digit !== 255) {
          if (++this.#digits > MAX_SIZE_DIGITS) throw protocolError('HTTP_BAD_CHUNK')
          this.#size = this.#size * 16 + digit
          if (this.#size > Number.MAX_SAFE_INTEGER) throw protocolError('HTTP_BAD_CHUNK')
          return SIZE
        }
        if (this.#digits === 0) throw protocolError('HTTP_BAD_CHUNK')
        this.#chunkExtensionBytes = 0
        if (byte === CR) return SIZE_LF
        if (byte === SEMICOLON) return this.#extension(EXTENSION_NAME)
        throw protocolError('HTTP_BAD_CHUNK')
      }
      case EXTENSION_NAME:
        // The first byte of a name: an empty one is caught by being no token.
        if (IS_TOKEN[byte] === 1) return this.#extension(EXTENSION_IN_NAME)
        throw protocolError('HTTP_BAD_CHUNK')
      case EXTENSION_IN_NAME:
        if (byte === EQUALS) return this.#extension(EXTENSION_VALUE)
        return this.#extensionToken(byte, EXTENSION_IN_NAME)
      case EXTENSION_VALUE:
        if (byte === DQUOTE) return this.#extension(EXTENSION_QUOTED)
        if (IS_TOKEN[byte] === 1) return this.#extension(EXTENSION_TOKEN)
        throw protocolError('HTTP_BAD_CHUNK')
      case EXTENSION_TOKEN:
        return this.#extensionToken(byte, EXTENSION_TOKEN)
      case EXTENSION_QUOTED:
        if (byte === DQUOTE) return this.#extension(EXTENSION_END)
        if (byte === BACKSLASH) return this.#extension(EXTENSION_ESCAPE)
        if (IS_VALUE[byte] === 1) return this.#extension(EXTENSION_QUOTED)
        throw protocolError('HTTP_BAD_CHUNK')
      case EXTENSION_ESCAPE:
        if (IS_VALUE[byte] === 1) return this.#extension(EXTENSION_QUOTED)
        throw protocolError('HTTP_BAD_CHUNK')
      case EXTENSION_END:
        if (byte === CR) return SIZE_LF
        if (byte === SEMICOLON) return this.#extension(EXTENSION_NAME)
        throw protocolError('HTTP_BAD_CHUNK')
      case SIZE_LF:
        if (byte !== LF) throw protocolError('HTTP_BAD_CHUNK')
        this.#digits = 0
        return this.#size === 0 ? TRAILER_START : DATA
      case DATA_CR:
        if (byte !== CR) throw protocolError('HTTP_BAD_CHUNK')
        return DATA_LF
      case DATA_LF:
        if (byte !== LF) throw protocolError('HTTP_BAD_CHUNK')
        return SIZE
      case TRAILER_START:
        if (byte === CR) return END_LF
        this.#trailerName = ''
        return this.#nameByte(byte)
      case TRAILER_NAME:
        if (byte !== COLON) return this.#nameByte(byte)
        if (NOT_IN_TRAILERS.has(this.#trailerName.toLowerCase())) throw protocolError('HTTP_BAD_TRAILER')
        return this.#trailer(TRAILER_VALUE)
      case TRAILER_VALUE:
        if (byte === CR) return this.#trailer(TRAILER_LF)
        if (IS_VALUE[byte] === 1 || byte === HTAB) return this.#trailer(TRAILER_VALUE)
        throw protocolError('HTTP_BAD_TRAILER')
      case TRAILER_LF:
        if (byte !== LF) throw protocolError('HTTP_BAD_TRAILER')
        return this.#trailer(TRAILER_START)
      default:
        if (byte !== LF) throw protocolError('HTTP_BAD_TRAILER')
        return DONE
    }
  }

  #extensionToken(byte: number, state: number): number {
    if (IS_TOKEN[byte] === 1) return this.#extension(state)
    if (byte === CR) return SIZE_LF
    if (byte === SEMICOLON) return this.#extension(EXTENSION_NAME)
    throw protocolError('HTTP_BAD_CHUNK')
  }

  #extension(next: number): number {
    if (
      ++this.#chunkExtensionBytes > this.#limits.maxChunkExtensionBytes ||
      ++this.#extensionsBytes > this.#limits.maxExtensionsBytes
    )
      throw protocolError('HTTP_CHUNK_EXTENSION_TOO_LONG')
    return next
  }

  #nameByte(byte: number): number {
    if (IS_TOKEN[byte] === 0) throw protocolError('HTTP_BAD_TRAILER')
    this.#trailerName += String.fromCharCode(byte)
    return this.#trailer(TRAILER_NAME)
  }

  #trailer(next: number): number {
    if (++this.#trailerBytes > this.#limits.maxTrailerBytes) throw protocolError('HTTP_BAD_TRAILER')
    return next
  }
}
