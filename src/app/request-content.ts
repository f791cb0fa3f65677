// The body of a request as its route reads it: within the route's limit, and with its content coding taken off where the route asked for it.
import { MillraceError, UsageError } from '../core/error.ts'
import { bodyTooLarge } from '../http/errors.ts'
import type { Exchange, RequestBody } from '../http/exchange.ts'
import { BODY_CODINGS, type BodyCoding, decodePieces, decodeWhole } from './content-decoder.ts'

export interface DecompressOptions {
  /** What is accepted. Default zstd, br, gzip, deflate; zstd only where Node notices that one was cut short. */
  readonly codings?: readonly BodyCoding[]
  /** How many times as long as it came a body may become, counted from 64 KiB on; then 413. Default 10. */
  readonly maxRatio?: number
  /** The most that a body may become, in bytes; then 413. The route's `maxBodyBytes` holds as well. Default 10 MiB. */
  readonly maxBytes?: number
}

// Below, the ratio is not looked at: lists of like objects shrink to a twelfth (bench/micro/compress.ts), and this little harms nobody.
const FREE_BYTES = 65_536

/** What a route says about bodies; kept only for routes that say something. */
export class BodyPolicy {
  readonly #maxBodyBytes: number | undefined
  readonly #decompress: Required<DecompressOptions> | undefined
  /** For bodies that are decoded. */
  readonly #maxDecodedBytes: number

  /** @param maxBodyBytes  the route's own; where it has none, the default holds for what is decoded */
  constructor(
    maxBodyBytes: number | undefined,
    defaultMaxBodyBytes: number,
    decompress: Required<DecompressOptions> | undefined,
  ) {
    this.#maxBodyBytes = maxBodyBytes
    this.#decompress = decompress
    this.#maxDecodedBytes = Math.min(maxBodyBytes ?? defaultMaxBodyBytes, decompress?.maxBytes ?? Infinity)
  }

  get isEmpty(): boolean {
    return this.#maxBodyBytes === undefined && this.#decompress === undefined
  }

  /** Before anybody reads the body. */
  apply(exchange: Exchange): void {
    if (this.#maxBodyBytes !== undefined) exchange.body.limit(this.#maxBodyBytes)
    if (this.#decompress) policies.set(exchange, this)
  }

  /** @throws UnsupportedCodingError (415) */
  decoded(body: RequestBody, field: string): RequestBody {
    const accepted = this.#decompress!.codings
    const name = field.toLowerCase()
    const coding = accepted.find(each => each === (name === 'x-gzip' ? 'gzip' : name))
    if (coding === undefined) throw new UnsupportedCodingError(field, accepted)
    return new DecodedBody(body, coding, this.#maxDecodedBytes, this.#decompress!.maxRatio)
  }
}

// Beside the exchange and not in it: only routes that decode pay for it.
const policies = new WeakMap<Exchange, BodyPolicy>()

/**
 * What everybody reads who wants the body of a request.
 *
 * @throws UnsupportedCodingError (415) for a Content-Encoding that the route has not asked for
 */
export function contentOf(exchange: Exchange): RequestBody {
  const { body } = exchange
  if (body.kind === 'none') return body
  const coding = exchange.fields.get('content-encoding')
  if (coding === undefined || coding === '' || coding.toLowerCase() === 'identity') return body
  const policy = policies.get(exchange)
  if (!policy) throw new UnsupportedCodingError(coding, [])
  return policy.decoded(body, coding)
}

/**
 * The innermost that says something wins: the route, its router, the app.
 *
 * @param all  what they say, from the outside in
 * @returns undefined: no coding is accepted
 * @throws UsageError `APP_BAD_DECOMPRESS` naming the route
 */
export function decompressOf(
  all: readonly (boolean | DecompressOptions | undefined)[],
  name: string,
): Required<DecompressOptions> | undefined {
  const said = all.findLast(each => each !== undefined) ?? false
  if (said === false) return undefined
  const { codings = BODY_CODINGS, maxRatio = 10, maxBytes = 10 * 1_048_576 } = said === true ? {} : said
  const bad = (what: string) => new UsageError('APP_BAD_DECOMPRESS', `${name}: decompress: ${what}`)
  if (!(maxRatio >= 1)) throw bad(`maxRatio is a number from 1, not ${String(maxRatio)}`)
  if (!(maxBytes >= 0)) throw bad(`maxBytes is a number of bytes, not ${String(maxBytes)}`)
  if (codings.length === 0) throw bad('codings is empty; leave decompress out to accept none')
  for (const coding of codings)
    if (!BODY_CODINGS.includes(coding)) throw bad(`${String(coding)} is not one of ${BODY_CODINGS.join(', ')}`)
  return { codings, maxRatio, maxBytes }
}

/** The content coding of a body is none that its route reads: unknown, several at once, or not asked for. */
export class UnsupportedCodingError extends MillraceError {
  /** For Accept-Encoding, which tells a 415 for this from one for the content type (RFC 9110 §15.5.16). */
  readonly accepted: string

  constructor(field: string, codings: readonly BodyCoding[]) {
    const accepted = codings.length === 0 ? 'identity' : codings.join(', ')
    super(
      'APP_UNSUPPORTED_CODING',
      `a body with Content-Encoding ${JSON.stringify(field)}, where ${accepted} is read`,
      {
        status: 415,
        detail:
          codings.length === 0
            ? 'This route reads no compressed bodies; send it without Content-Encoding'
            : `This route reads bodies in one of these codings, one at a time: ${accepted}`,
      },
    )
    this.accepted = accepted
  }
}

class DecodedBody implements RequestBody {
  readonly kind = 'chunked'
  readonly length = undefined
  readonly #coded: RequestBody
  readonly #coding: BodyCoding
  readonly #maxRatio: number
  #maxBytes: number

  constructor(coded: RequestBody, coding: BodyCoding, maxBytes: number, maxRatio: number) {
    this.#coded = coded
    this.#coding = coding
    this.#maxBytes = maxBytes
    this.#maxRatio = maxRatio
  }

  limit(maxBytes: number): void {
    this.#maxBytes = Math.min(maxBytes, this.#maxBytes)
  }

  bytes(maxBytes: number = this.#maxBytes): Uint8Array | Promise<Uint8Array> {
    this.limit(maxBytes)
    const coded = this.#coded.bytes(this.#maxBytes)
    return coded instanceof Promise ? coded.then(bytes => this.#whole(bytes)) : this.#whole(coded)
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    this.#coded.limit(this.#maxBytes)
    return decodePieces(this.#coding, this.#coded, (bytesIn, bytesOut) => {
      // A length that was declared counts as if it were here: what expands most may come first.
      if (bytesOut > this.#allowed(Math.max(bytesIn, this.#coded.length ?? 0))) throw this.#tooLarge(bytesOut)
    })
  }

  #whole(coded: Uint8Array): Uint8Array | Promise<Uint8Array> {
    if (coded.byteLength === 0) return coded
    const allowed = this.#allowed(coded.byteLength)
    return decodeWhole(this.#coding, coded, allowed, () => this.#tooLarge(allowed + 1))
  }

  #allowed(codedBytes: number): number {
    return Math.min(this.#maxBytes, Math.max(FREE_BYTES, codedBytes * this.#maxRatio))
  }

  #tooLarge(bytesOut: number): MillraceError {
    if (bytesOut > this.#maxBytes) return bodyTooLarge(this.#maxBytes)
    return new MillraceError(
      'APP_BODY_EXPANDS',
      `a body becomes more than ${this.#maxRatio} times as long as it came`,
      {
        status: 413,
        detail: `The body may become at most ${this.#maxRatio} times as long as it is sent.`,
      },
    )
  }
}
