// One request of a load: as plain data, as the bytes that the load sends, and asked once for the proof that it is answered right.
import { request as httpRequest } from 'node:http'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'

export interface LoadRequest {
  readonly path: string
  /** Default: POST with a body, GET without. */
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** The body goes out in one chunk instead of behind its length. */
  readonly chunked?: boolean
}

export interface ReceivedAnswer {
  readonly status: number
  /** Without parameters, in lower case. */
  readonly mediaType: string
  /** '' when there is none. */
  readonly coding: string
  /** X-Cache, '' when there is none. */
  readonly cache: string
  /** Decoded; text with one char per byte. */
  readonly body: string
}

/** Each path asked for with GET. */
export function gets(paths: readonly string[]): readonly LoadRequest[] {
  return paths.map(path => ({ path }))
}

/** @param host  for the Host field */
export function requestBytes(request: LoadRequest, host: string): Buffer {
  const { path, headers = {}, chunked = false } = request
  const body = request.body === undefined ? undefined : Buffer.from(request.body)
  const lines = [`${methodOf(request)} ${path} HTTP/1.1`, `Host: ${host}`]
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`)
  if (body) lines.push(chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.byteLength}`)
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  if (!body) return head
  if (!chunked) return Buffer.concat([head, body])
  return Buffer.concat([head, Buffer.from(`${body.byteLength.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')])
}

/** Asks once, on a connection of its own. */
export async function ask(origin: string, request: LoadRequest): Promise<ReceivedAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<ReceivedAnswer>()
  const length = request.body === undefined ? {} : { 'content-length': String(Buffer.from(request.body).byteLength) }
  const framing = request.chunked === true ? { 'transfer-encoding': 'chunked' } : length
  const headers = { ...request.headers, ...framing, connection: 'close' }
  const outgoing = httpRequest(
    origin + request.path,
    { method: methodOf(request), headers, agent: false },
    response => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('error', reject)
      response.on('end', () => {
        const coding = response.headers['content-encoding'] ?? ''
        resolve({
          status: response.statusCode!,
          mediaType: (response.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase(),
          coding,
          cache: String(response.headers['x-cache'] ?? ''),
          body: decoded(coding, Buffer.concat(pieces)).toString('latin1'),
        })
      })
    },
  )
  outgoing.on('error', reject).end(request.body)
  return promise
}

function methodOf({ method, body }: LoadRequest): string {
  return method ?? (body === undefined ? 'GET' : 'POST')
}

function decoded(coding: string, bytes: Buffer): Buffer {
  if (coding === '') return bytes
  if (coding === 'gzip') return gunzipSync(bytes)
  if (coding === 'br') return brotliDecompressSync(bytes)
  throw new Error(`an answer in ${coding}, which nobody asked for`)
}
