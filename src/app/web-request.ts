// The web platform's Request for an exchange. Made only when somebody asks: it costs more than the rest of a small request.
import type { Exchange } from '../http/exchange.ts'

export function webRequest(exchange: Exchange, signal: AbortSignal): Request {
  const authority = exchange.authority === '' ? 'localhost' : exchange.authority
  const target = exchange.target.startsWith('/')
    ? exchange.target
    : exchange.path + (exchange.search === '' ? '' : `?${exchange.search}`)
  const headers = new Headers()
  for (const [name, value] of exchange.fields.entries()) headers.append(name, value)
  const init: RequestInit & { duplex?: 'half' } = { method: exchange.method, headers, signal }
  if (exchange.body.kind !== 'none' && exchange.method !== 'GET' && exchange.method !== 'HEAD') {
    init.body = (
      ReadableStream as unknown as { from(pieces: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> }
    ).from(exchange.body)
    init.duplex = 'half'
  }
  return new Request(`${exchange.scheme}://${authority}${target === '*' ? '/' : target}`, init)
}
