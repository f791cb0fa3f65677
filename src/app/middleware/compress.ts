// Compresses answers with what the client understands: zstd, br or gzip.
//
//   import { App } from 'millrace'
//   import { compress } from 'millrace/middleware'
//
//   const app = new App({ title: 'Shop' })
//   app.use(compress())
//
// A secret beside text that an attacker chooses leaks through the compressed size (BREACH): leave such a route out by answering with
// Cache-Control: no-transform.
import { UsageError } from '../../core/error.ts'
import type { PreparedHead } from '../../http/prepared-head.ts'
import { Amendment, type Answer, AnswerHeaders } from '../answer.ts'
import type { Middleware } from '../compose.ts'
import { isCompressibleType } from '../compressible.ts'
import { type Coding, type Wish, wishOf } from '../accept-encoding.ts'
import { compressed, compressedStream } from './compressor.ts'

export interface CompressOptions {
  /** Smaller bodies go out as they are. Default 1024 bytes: below, the saving is less than a packet. */
  thresholdBytes?: number
  /** What may be used, the best first: among codings that a client likes equally, the first is taken. Default zstd, br, gzip. */
  codings?: readonly Coding[]
}

const CODINGS: readonly Coding[] = ['zstd', 'br', 'gzip']

/** @throws UsageError `COMPRESS_BAD_OPTIONS` */
export function compress(options: CompressOptions = {}): Middleware {
  const { thresholdBytes = 1024, codings = CODINGS } = options
  if (!(thresholdBytes >= 0)) throw bad(`thresholdBytes is a number of bytes, not ${String(thresholdBytes)}`)
  for (const coding of codings)
    if (!CODINGS.includes(coding)) throw bad(`${String(coding)} is not one of ${CODINGS.join(', ')}`)
  return async (context, next) => {
    const answer = await next()
    if (answer.status === 304) return asBefore(answer, context.headers.get('if-none-match'))
    if (!mayCompress(answer)) return answer
    // Whatever this client gets, another may get another.
    answer.amend(VARIES)
    const wish = wishOf(context.headers.get('accept-encoding'), codings)
    if (wish.coding === undefined) return answer
    const { body } = answer
    if (body instanceof ReadableStream) {
      if (isSmall(answer.length, wish, thresholdBytes)) return answer
      answer.body = compressedStream(wish.coding, body)
    } else {
      const size = typeof body === 'string' ? Buffer.byteLength(body) : body!.byteLength
      if (isSmall(size, wish, thresholdBytes)) return answer
      const { coding } = wish
      // What a cache keeps is compressed once.
      const kept = answer.kept?.body === body ? answer.kept : undefined
      answer.body = kept
        ? await kept.coded(coding, bytes => compressed(coding, bytes))
        : await compressed(coding, typeof body === 'string' ? Buffer.from(body) : body!)
    }
    answer.length = undefined
    answer.amend(RELABELLED[wish.coding])
    return answer
  }
}

const VARIES = new Amendment(headers => headers.addToList('vary', 'Accept-Encoding'))

/** By the heads that routes have prepared. */
const judged = new WeakMap<PreparedHead, boolean>()

function mayCompress(answer: Answer): boolean {
  if (answer.source === null) return false
  const { prepared } = answer
  if (!prepared) return isCompressible(answer.status, answer.headers)
  let verdict = judged.get(prepared)
  if (verdict === undefined) {
    verdict = isCompressible(prepared.status, new AnswerHeaders(prepared.fields))
    judged.set(prepared, verdict)
  }
  return verdict
}

function isCompressible(status: number, headers: AnswerHeaders): boolean {
  if (status < 200 || status === 204 || status === 304) return false
  // 206: a range counts bytes of what it was cut from.
  if (status === 206 || headers.has('content-encoding') || headers.has('content-range')) return false
  if (/\bno-transform\b/i.test(headers.get('cache-control') ?? '')) return false
  return isCompressibleType(headers.get('content-type') ?? '')
}

/** What a client has already varies as its 200 did, and keeps the tag that it was compressed under. */
function asBefore(answer: Answer, known: string | undefined): Answer {
  const { headers } = answer
  const tag = headers.get('etag')
  if (tag === undefined || known?.includes(tag) !== true) return answer
  headers.addToList('vary', 'Accept-Encoding')
  if (tag.startsWith('"') && known.includes(`W/${tag}`)) headers.set('etag', `W/${tag}`)
  return answer
}

function isSmall(bytes: number | undefined, wish: Wish, thresholdBytes: number): boolean {
  if (bytes === 0) return true
  return bytes !== undefined && bytes < thresholdBytes && !wish.refusesPlain
}

const RELABELLED: Readonly<Record<Coding, Amendment>> = {
  zstd: new Amendment(headers => relabel(headers, 'zstd')),
  br: new Amendment(headers => relabel(headers, 'br')),
  gzip: new Amendment(headers => relabel(headers, 'gzip')),
}

function relabel(headers: AnswerHeaders, coding: Coding): void {
  headers.set('content-encoding', coding)
  headers.delete('accept-ranges')
  // The tag was made for other bytes: it may still say "the same content", no longer "the same bytes" (RFC 9110 §8.8.1).
  const tag = headers.get('etag')
  if (tag?.startsWith('"')) headers.set('etag', `W/${tag}`)
}

function bad(message: string): UsageError {
  return new UsageError('COMPRESS_BAD_OPTIONS', `compress(): ${message}`)
}
