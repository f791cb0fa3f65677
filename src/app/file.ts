// An answer from a file: type, length, validators, parts, and 304 for who has it already.
import { contentRange, rangeOf } from './byte-range.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Coding } from './accept-encoding.ts'
import { Answer, LateAnswer } from './answer.ts'
import { isCompressibleType } from './compressible.ts'
import { isRangeWanted, judge, type Validators, weak } from './conditional.ts'
import { attachment } from './content-disposition.ts'
import { HttpError } from './http-error.ts'
import { OpenedFile, PIECE_BYTES } from './opened-file.ts'
import { variantOf } from './precompressed.ts'
import type { Reply, ReplyInit } from './reply.ts'
import { dress } from './dress.ts'

export interface FileInit extends ReplyInit {
  /** The folder that the path is in. What lies outside of it, by '..' or through a symbolic link, is a 404: needed where a client names the file. */
  readonly root?: string | URL
  /** Symbolic links in `root` may lead out of it. Default false. */
  readonly followLinks?: boolean
  /**
   * Sends the variant beside it that the client likes best: `app.js.zst`, `app.js.br` or `app.js.gz` for `app.js`; with a list, those
   * codings, the best first. Default false. For types that become smaller; a variant older than the file itself is left alone.
   */
  readonly precompressed?: boolean | readonly Coding[]
  /** Content-Type. Default: by the extension, text in UTF-8; application/octet-stream for one that is not known. */
  readonly type?: string
  /** Saved and not shown: under this name, or with true under the file's own. */
  readonly download?: string | boolean
  /** Cache-Control, as it is. Default none. */
  readonly cacheControl?: string
  /** An entity tag with its quotes, or false for none. Default: from size and time of change. */
  readonly etag?: string | false
  /** Default 200. With another, conditions and ranges are not looked at: an error page is not what was asked for. */
  readonly status?: number
}

/**
 * A file, sent in pieces of 64 KiB as the client takes them; one that small is read and written at once, and kept in memory for as long as
 * the disk has the same (16 MiB in a worker). Answers conditional requests (304, 412) and a single range (206, 416; several are answered with
 * the whole), and HEAD without reading.
 *
 * What is not there, and what is no regular file, is a 404 (`APP_NO_FILE`); what this process may not read is one too, and is logged. One
 * that becomes shorter meanwhile is a 503 (`APP_FILE_CHANGED`) before the head is out, and cuts the connection after it.
 *
 * @example app.get('/reports/{name}', ({ params }) => file(params.name, { root: 'reports', download: true }))
 */
export function file(path: string | URL, init: FileInit = {}): Reply {
  return new FileAnswer(path, init) as unknown as Reply
}

/** For those who answer with files themselves. */
export class FileAnswer extends LateAnswer {
  readonly #path: string | URL
  readonly #init: FileInit

  constructor(path: string | URL, init: FileInit) {
    super()
    this.#path = path
    this.#init = init
  }

  async complete(exchange: Exchange): Promise<Answer> {
    const { root, followLinks, precompressed = false } = this.#init
    let opened = await OpenedFile.open(this.#path, root, followLinks)
    try {
      const shown = { path: opened.path, type: this.#init.type ?? (await mediaType(opened.path)) }
      const varies = precompressed !== false && isCompressibleType(shown.type)
      const variant = varies ? await variantOf(opened, exchange.fields, precompressed) : undefined
      if (variant) {
        const plain = opened
        opened = variant.opened
        await plain.close()
      }
      const answer = await answerFrom(opened, this.#init, exchange, { ...shown, varies, coding: variant?.coding })
      return dress(answer, this.#init)
    } catch (error) {
      await opened.close()
      throw error
    }
  }
}

/** What a client is told of a file, whichever variant of it is sent. */
interface Shown {
  readonly path: string
  readonly type: string
  /** Another client may get another variant. */
  readonly varies: boolean
  readonly coding: Coding | undefined
}

/** Whatever it returns, the file is closed, or will be with the answer's stream. */
async function answerFrom(
  opened: OpenedFile,
  init: FileInit,
  { method, fields }: Exchange,
  { path, type, varies, coding }: Shown,
): Promise<Answer> {
  const { size } = opened
  const { status = 200 } = init
  const validators = validatorsOf(opened, init.etag, coding)
  const isConditional = status === 200 && (method === 'GET' || method === 'HEAD')
  const verdict = isConditional ? judge(method, fields, validators) : 'proceed'
  if (verdict === 412) throw new HttpError(412, 'The file is not in the state that the request asks for')
  const lines = linesOf(validators, init.cacheControl)
  if (varies) lines.push('vary', 'Accept-Encoding')
  if (verdict === 304) {
    await opened.close()
    return new Answer(304, null, lines)
  }
  // A range is for GET alone (RFC 9110 §14.2).
  const isPart = isConditional && method === 'GET' && isRangeWanted(fields, validators)
  const range = isPart ? rangeOf(fields.get('range'), size) : 'whole'
  if (range === 'unsatisfiable')
    throw new HttpError(416, `The file has ${size} bytes`, { headers: { 'content-range': `bytes */${size}` } })
  lines.push('content-type', type)
  if (coding !== undefined) lines.push('content-encoding', coding)
  if (isConditional) lines.push('accept-ranges', 'bytes')
  const { download } = init
  if (download) lines.push('content-disposition', attachment(download === true ? path : download))
  const { start, length } = range === 'whole' ? { start: 0, length: size } : range
  if (range !== 'whole') lines.push('content-range', contentRange(range, size))
  const answer = new Answer(range === 'whole' ? status : 206, null, lines)
  if (method === 'HEAD') {
    await opened.close()
    answer.body = new ReadableStream()
    answer.length = length
  } else if (length <= PIECE_BYTES) answer.body = await opened.read(start, length)
  else {
    answer.body = opened.stream(start, length)
    answer.length = length
  }
  return answer
}

// The tag is what nginx and Apache make it: size and time of change, the same on every host that the file was copied to with its time.
// Two writes within one tick of the clock could leave it the same, so until the last one is this long ago it is a weak tag, which If-Range
// and If-Match do not take. Apache does so for one second; file systems with whole seconds, or two, are still about.
const RESTED_MS = 2000

function validatorsOf(
  { size, modifiedNs }: OpenedFile,
  own: string | false | undefined,
  coding: Coding | undefined,
): Validators {
  const nowMs = Date.now()
  const modifiedMs = Number(modifiedNs / 1_000_000n)
  const isRested = nowMs - modifiedMs >= RESTED_MS
  // Two codings are two representations, and a strong tag must tell them apart (RFC 9110 §8.8.3.3).
  const mark = coding === undefined ? '"' : `-${coding}"`
  const tag = `"${size.toString(16)}-${modifiedNs.toString(16)}${mark}`
  return {
    etag: own === false ? undefined : (own?.replace(/"$/, mark) ?? (isRested ? tag : weak(tag))),
    // Not later than the answer itself (RFC 9110 §8.8.2.1).
    modifiedMs: Math.min(modifiedMs, nowMs),
    isDateStrong: isRested,
  }
}

function linesOf({ etag, modifiedMs }: Validators, cacheControl: string | undefined): string[] {
  const lines = ['last-modified', new Date(modifiedMs!).toUTCString()]
  if (etag !== undefined) lines.push('etag', etag)
  if (cacheControl !== undefined) lines.push('cache-control', cacheControl)
  return lines
}

// Loaded with the first file: reading its tables takes as long as the rest of a small app.
async function mediaType(path: string): Promise<string> {
  const { default: mime } = await import('mime')
  const type = mime.getType(path) ?? 'application/octet-stream'
  return type.startsWith('text/') ? `${type}; charset=utf-8` : type
}
