// Compresses bytes, whole or as they stream, with the codings that node:zlib has.
/* eslint-disable n/no-sync -- bodies small enough that handing them to the thread pool costs more than compressing them; see below */
import { promisify } from 'node:util'
import {
  type BrotliCompress,
  brotliCompress,
  brotliCompressSync,
  constants,
  createBrotliCompress,
  createGzip,
  createZstdCompress,
  type Gzip,
  gzip,
  gzipSync,
  type ZstdCompress,
  zstdCompress,
  zstdCompressSync,
} from 'node:zlib'
import type { Coding } from '../accept-encoding.ts'

interface Compressor {
  readonly now: (bytes: Uint8Array) => Uint8Array
  readonly later: (bytes: Uint8Array) => Promise<Uint8Array>
  readonly stream: () => BrotliCompress | Gzip | ZstdCompress
  readonly flush: number
}

// Levels: past these, a JSON list costs about twice the time for a tenth less. 64 KiB of one, by bench/micro/compress.ts: zstd 130 us
// and 5.3 KB, br 380 us and 5.0 KB, gzip 360 us and 9.0 KB. So zstd comes first where a client takes all three.
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 3 } }
const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }
const GZIP = { level: 6 }
const later = {
  zstd: promisify(zstdCompress),
  br: promisify(brotliCompress),
  gzip: promisify(gzip),
}

export const COMPRESSORS: Readonly<Record<Coding, Compressor>> = {
  zstd: {
    now: bytes => zstdCompressSync(bytes, ZSTD),
    later: bytes => later.zstd(bytes, ZSTD),
    stream: () => createZstdCompress(ZSTD),
    flush: constants.ZSTD_e_flush,
  },
  br: {
    now: bytes => brotliCompressSync(bytes, BROTLI),
    later: bytes => later.br(bytes, BROTLI),
    stream: () => createBrotliCompress(BROTLI),
    flush: constants.BROTLI_OPERATION_FLUSH,
  },
  gzip: {
    now: bytes => gzipSync(bytes, GZIP),
    later: bytes => later.gzip(bytes, GZIP),
    stream: () => createGzip(GZIP),
    flush: constants.Z_SYNC_FLUSH,
  },
}

// Up to here the loop does it itself: 32 KiB take 100 (zstd) to 150 us (gzip), while handing them to the thread pool costs the loop 40 to
// 60 us and the machine half as much again. Above, other requests would wait too long (bench/micro/compress.ts).
const MOST_BYTES_ON_LOOP = 32 * 1024

export function compressed(coding: Coding, bytes: Uint8Array): Uint8Array | Promise<Uint8Array> {
  const { now, later } = COMPRESSORS[coding]
  return bytes.byteLength <= MOST_BYTES_ON_LOOP ? now(bytes) : later(bytes)
}

/**
 * The stream compressed, each piece flushed so that it reaches the client when it was written and not when a window is full.
 *
 * One piece is read when the reader has taken the last; an error of the source errors it, a cancel cancels the source.
 */
export function compressedStream(coding: Coding, source: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  const { stream, flush } = COMPRESSORS[coding]
  const reader = source.getReader()
  const zlib = stream()
  let pieces: Uint8Array[] = []
  let failed: (error: unknown) => void
  const failure = new Promise<never>((_resolve, reject) => (failed = reject))
  failure.catch(() => {})
  // Taken out as it comes, or a large piece would fill zlib's own buffer and its flush never end.
  const take = () => {
    for (;;) {
      const piece = zlib.read() as Uint8Array | null
      if (piece === null) return
      pieces.push(piece)
    }
  }
  zlib.on('readable', take)
  zlib.on('error', error => failed(error))
  const flushed = (piece: Uint8Array) =>
    new Promise<void>(resolve => {
      if (piece.byteLength === 0) return resolve()
      zlib.write(piece)
      zlib.flush(flush, resolve)
    })
  const ended = () =>
    new Promise<void>(resolve => {
      zlib.on('end', resolve)
      zlib.end()
    })
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          // A pull that enqueues nothing is not followed by another, and a coder may keep the first bytes to itself.
          while (pieces.length === 0) {
            const { done, value } = await reader.read()
            await Promise.race([done ? ended() : flushed(toBytes(value)), failure])
            take()
            if (!done) continue
            for (const piece of pieces) controller.enqueue(piece)
            controller.close()
            return
          }
          for (const piece of pieces) controller.enqueue(piece)
          pieces = []
        } catch (error) {
          zlib.destroy()
          await reader.cancel(error).catch(() => {})
          throw error
        }
      },
      async cancel(reason) {
        zlib.destroy()
        await reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
}

// A streamed body may yield strings; see stream.ts.
function toBytes(piece: unknown): Uint8Array {
  if (piece instanceof Uint8Array) return piece
  if (typeof piece === 'string') return Buffer.from(piece)
  throw new TypeError('a streamed body yields bytes or strings')
}
