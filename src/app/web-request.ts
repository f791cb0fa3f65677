// The web platform's Request for an exchange. Made only when somebody asks: it costs more than the rest of a small request.
import type { Exchange, RequestBody } from '../http/exchange.ts'
import { contentOf } from './request-content.ts'

/**
 * Node loads Request and Response when they are first named, 30 ms in which nothing else is served: at start-up, then, and not under the
 * first request that asks for one (bench slow).
 */
export function loadWebRequest(): void {
  new Request('http://localhost')
}

/** @param path  percent-encoded, in place of the path that was asked for */
export function webRequest(exchange: Exchange, signal: AbortSignal, path?: string): Request {
  const authority = exchange.authority === '' ? 'localhost' : exchange.authority
  const target =
    path === undefined && exchange.target.startsWith('/')
      ? exchange.target
      : (path ?? exchange.path) + (exchange.search === '' ? '' : `?${exchange.search}`)
  const headers = new Headers()
  for (const [name, value] of exchange.fields.entries()) headers.append(name, value)
  const content = contentOf(exchange)
  // Both told about what was sent; the handler gets what it means.
  if (content !== exchange.body) for (const name of ['content-encoding', 'content-length']) headers.delete(name)
  const init: RequestInit & { duplex?: 'half' } = { method: exchange.method, headers, signal }
  if (content.kind !== 'none' && exchange.method !== 'GET' && exchange.method !== 'HEAD') {
    init.body = stream(content)
    init.duplex = 'half'
  }
  return new Request(`${exchange.scheme}://${authority}${target === '*' ? '/' : target}`, init)
}

/** Takes the body when it is first read, and each piece when it is asked for: the client feels how fast the handler is. */
function stream(body: RequestBody): ReadableStream<Uint8Array> {
  let pieces: AsyncIterator<Uint8Array> | undefined
  return new ReadableStream(
    {
      async pull(to) {
        const { done, value } = await (pieces ??= body[Symbol.asyncIterator]()).next()
        if (done) to.close()
        else to.enqueue(value)
      },
      async cancel() {
        await (pieces ??= body[Symbol.asyncIterator]()).return?.()
      },
    },
    { highWaterMark: 0 },
  )
}
