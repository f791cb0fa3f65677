// Takes a content coding off again: of bytes that are all here, or of pieces as they come, never making more than is allowed.
/* eslint-disable n/no-sync -- what is small enough that handing it to the thread pool costs more than decoding it; see below */
import { promisify } from 'node:util'
import zlib, { constants } from 'node:zlib'
import { MillraceError } from '../core/error.ts'

export type BodyCoding = 'zstd' | 'br' | 'gzip' | 'deflate'

/** zstd is left out where Node does not notice that one was cut short (22.18 does not, 26 does): half a body must not look like one. */
export const BODY_CODINGS: readonly BodyCoding[] = noticesCutZstd()
  ? ['zstd', 'br', 'gzip', 'deflate']
  : ['br', 'gzip', 'deflate']

interface Options {
  readonly maxOutputLength?: number
  readonly params?: Readonly<Record<number, number>>
}

interface Engine {
  /** What it has taken in. */
  readonly bytesWritten: number
}

interface Result {
  readonly buffer: Buffer
  readonly engine: Engine
}

interface Decoder {
  readonly now: (bytes: Uint8Array, options: Options) => Result
  readonly later: (bytes: Uint8Array, options: Options) => Promise<Result>
  readonly stream: () => zlib.Gunzip | zlib.Inflate | zlib.BrotliDecompress | zlib.ZstdDecompress
  readonly options: Options
}

// 8 MiB: the largest window that a zstd content coding may ask its reader to hold (RFC 9659 §3). Unbounded it is 128 MiB for each request.
const ZSTD: Options = { params: { [constants.ZSTD_d_windowLogMax]: 23 } }

const DECODERS: Readonly<Record<BodyCoding, Decoder>> = {
  zstd: decoder(zlib.zstdDecompressSync, zlib.zstdDecompress, () => zlib.createZstdDecompress(ZSTD), ZSTD),
  br: decoder(zlib.brotliDecompressSync, zlib.brotliDecompress, () => zlib.createBrotliDecompress()),
  gzip: decoder(zlib.gunzipSync, zlib.gunzip, () => zlib.createGunzip()),
  // With the zlib wrapper (RFC 9110 §8.4.1.2); what some clients send without it is malformed.
  deflate: decoder(zlib.inflateSync, zlib.inflate, () => zlib.createInflate()),
}

/** @types/node does not know what `info: true` does to the result. */
function decoder(now: unknown, later: unknown, stream: Decoder['stream'], options: Options = {}): Decoder {
  return {
    now: now as Decoder['now'],
    later: promisify(later as (bytes: Uint8Array, of: Options, done: (error: unknown, result: Result) => void) => void),
    stream,
    options,
  }
}

// Up to here the loop does it itself: 8 KiB become some 80 KiB, which takes about as long as the way to the thread pool and back.
const MOST_BYTES_ON_LOOP = 8 * 1024

/**
 * @param maxBytes  of what comes out
 * @returns a promise only for more than 8 KiB
 * @throws MillraceError `APP_BAD_CODING` (400); what `tooLarge` makes as soon as there is more
 */
export function decodeWhole(
  coding: BodyCoding,
  bytes: Uint8Array,
  maxBytes: number,
  tooLarge: () => Error,
): Uint8Array | Promise<Uint8Array> {
  const { now, later, options } = DECODERS[coding]
  // zlib takes no 0: one byte is too many then.
  const bounded = { ...options, info: true, maxOutputLength: Math.max(1, maxBytes) }
  const told = (error: unknown) => (isTooLarge(error) ? tooLarge() : badCoding(coding, error))
  const checked = ({ buffer, engine }: Result): Uint8Array => {
    if (engine.bytesWritten < bytes.byteLength) throw badCoding(coding, TRAILING)
    return buffer
  }
  if (bytes.byteLength > MOST_BYTES_ON_LOOP)
    return later(bytes, bounded).then(checked, (error: unknown) => {
      throw told(error)
    })
  let result: Result
  try {
    result = now(bytes, bounded)
  } catch (error) {
    throw told(error)
  }
  return checked(result)
}

/**
 * Pieces as they come out, each made when the one before it has been taken. Ends the source, and lets go of the decoder's memory, however
 * it ends itself.
 *
 * @param check  called with the bytes that went in and came out so far; throws to stop
 * @throws MillraceError `APP_BAD_CODING` (400), what the source throws, and what `check` throws
 */
export async function* decodePieces(
  coding: BodyCoding,
  source: AsyncIterable<Uint8Array>,
  check: (bytesIn: number, bytesOut: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const decoder = DECODERS[coding].stream()
  // What it still says when nobody listens any more.
  decoder.on('error', () => {})
  const pieces = source[Symbol.asyncIterator]()
  let [bytesIn, bytesOut] = [0, 0]
  let failure: { readonly error: unknown } | undefined
  const feed = async () => {
    for (;;) {
      const { done, value } = await pieces.next()
      if (decoder.destroyed) return
      if (done) return void decoder.end()
      bytesIn += value.byteLength
      if (!decoder.write(value)) await roomIn(decoder)
    }
  }
  feed().catch((error: unknown) => {
    failure = { error }
    decoder.destroy()
  })
  try {
    for await (const piece of decoder as AsyncIterable<Buffer>) {
      bytesOut += piece.byteLength
      check(bytesIn, bytesOut)
      yield piece
    }
    if (decoder.bytesWritten < bytesIn) throw badCoding(coding, TRAILING)
  } catch (error) {
    if (failure) throw failure.error
    throw decoder.errored === error ? badCoding(coding, error) : error
  } finally {
    decoder.destroy()
    await pieces.return?.()
  }
}

/** Resolves also when it is destroyed. */
function roomIn(decoder: NodeJS.EventEmitter): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      decoder.off('drain', done).off('close', done)
      resolve()
    }
    decoder.on('drain', done).on('close', done)
  })
}

// Node 26 has an option that refuses it, 22 has not; and no version refuses zeros behind gzip.
const TRAILING = 'bytes behind the end of what was compressed'

function noticesCutZstd(): boolean {
  try {
    // 'hello' without its last byte.
    zlib.zstdDecompressSync(Buffer.from('28b52ffd200529000068656c6c', 'hex'))
    return false
  } catch {
    return true
  }
}

function isTooLarge(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
}

function badCoding(coding: BodyCoding, cause: unknown): MillraceError {
  return new MillraceError('APP_BAD_CODING', `a request body is not the ${coding} that it says it is`, {
    status: 400,
    detail: `The body is not valid ${coding}.`,
    cause,
  })
}
