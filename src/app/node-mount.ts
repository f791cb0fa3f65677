// A listener of node:http, or an Express app, behind our engine: asked over a connection in memory that Node's own server and client speak.
//
// Real requests and responses, so that whatever a framework does to them works: nothing here imitates node:http. It costs about what a
// small node:http server costs; a mount is for what is there already.
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import { duplexPair, Readable } from 'node:stream'
import { once } from 'node:events'
import { http } from '../core/node-http.ts'
import { clientGone } from '../http/errors.ts'
import type { Exchange } from '../http/exchange.ts'
import { Answer } from './answer.ts'

/** `(req, res)` of node:http, or Express and its like, which also take `next`. */
export type NodeListener = (req: any, res: any, next?: any) => unknown

// The engine has checked the size of the head; written anew it is a little longer.
const MAX_HEAD_BYTES = 262_144

// Of one connection (RFC 9110 §7.6.1), or between us and the client.
const NOT_PASSED_ON = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'te',
  'upgrade',
  'expect',
  'content-length',
])

export class NodeMount {
  readonly #server
  readonly #name: string

  constructor(listener: NodeListener, name: string) {
    this.#name = name
    const options = { maxHeaderSize: MAX_HEAD_BYTES, requireHostHeader: false }
    // Time is the engine's to watch, and the route's.
    this.#server = http.createServer(options, (req: IncomingMessage, res: ServerResponse) =>
      this.#run(listener, req, res),
    )
    this.#server.requestTimeout = 0
    this.#server.headersTimeout = 0
  }

  /**
   * @param path  behind the mount, percent-encoded
   * @param prefix  what stands before it: `baseUrl` to Express, and part of `originalUrl`
   * @returns when the listener has written its head
   */
  async answer(exchange: Exchange, path: string, prefix: string): Promise<Answer> {
    const [near, far] = duplexPair()
    const { peer, body } = exchange
    Object.assign(far, {
      remoteAddress: peer.address,
      remotePort: peer.port,
      encrypted: peer.encrypted,
      mountedAt: prefix,
    })
    // Node 22 does not tell one end of a pair that the other was destroyed.
    far.once('close', () => {
      if (!far.writableFinished) near.destroy(new Error('the listener destroyed its response'))
    })
    const headers = [...exchange.fields.entries()].filter(([name]) => !NOT_PASSED_ON.has(name)).flat()
    if (body.kind === 'chunked') headers.push('transfer-encoding', 'chunked')
    else if (body.kind === 'length') headers.push('content-length', String(body.length))
    if (exchange.authority !== '' && !exchange.fields.has('host')) headers.push('host', exchange.authority)
    const asked = http.request({
      createConnection: () => near,
      method: exchange.method,
      path: exchange.search === '' ? path : `${path}?${exchange.search}`,
      headers,
      setHost: false,
      maxHeaderSize: MAX_HEAD_BYTES,
    })
    const { signal } = exchange
    const leave = () => {
      asked.destroy(signal.reason as Error)
      far.destroy()
    }
    asked.once('close', () => signal.removeEventListener('abort', leave))
    asked.on('information', ({ statusCode, rawHeaders }) => {
      if (statusCode === 103) exchange.earlyHints(rawHeaders)
    })
    const answered = once(asked, 'response') as Promise<[IncomingMessage]>
    // After the response, an error is one of its body, and told there.
    asked.on('error', () => {})
    this.#server.emit('connection', far)
    if (signal.aborted) leave()
    else signal.addEventListener('abort', leave, { once: true })
    const sent = send(body, asked)
    // A body that is refused on its way (too large, too slow, cut) is the answer, unless the listener was quicker.
    const [response] = await Promise.race([answered, sent.then(() => answered)]).catch((error: unknown) => {
      leave()
      throw signal.aborted ? clientGone(error) : error
    })
    sent.catch(() => {})
    return answerOf(response)
  }

  #run(listener: NodeListener, req: IncomingMessage, res: ServerResponse): void {
    const { mountedAt } = req.socket as unknown as { mountedAt: string }
    // As Express has them for what is mounted in it: redirects and links that a listener makes have the whole path.
    Object.assign(req, { baseUrl: mountedAt, originalUrl: mountedAt + req.url! })
    const failed = (error: unknown) => res.destroy(error instanceof Error ? error : new Error(String(error)))
    const next = (error?: unknown) => {
      if (error !== undefined && error !== null) return failed(error)
      res.statusCode = 404
      res.end(`Nothing is at ${this.#name}${req.url!}\n`)
    }
    try {
      const result = listener(req, res, next)
      if (result instanceof Promise) result.catch(failed)
    } catch (error) {
      failed(error)
    }
  }
}

/** With the pace of the listener: it reads, we read. */
async function send(body: Exchange['body'], to: ClientRequest): Promise<void> {
  if (body.kind === 'none') {
    to.end()
    return
  }
  to.flushHeaders()
  for await (const piece of body) {
    if (to.destroyed || to.writableEnded) return
    if (!to.write(piece)) await Promise.race([once(to, 'drain'), once(to, 'close')])
  }
  to.end()
}

function answerOf(response: IncomingMessage): Answer {
  const { statusCode = 500, rawHeaders } = response
  const fields: string[] = []
  let length: number | undefined
  for (let n = 0; n + 1 < rawHeaders.length; n += 2) {
    const name = rawHeaders[n]!.toLowerCase()
    if (name === 'content-length') length = Number(rawHeaders[n + 1])
    else if (name !== 'trailer' && name !== 'date' && !NOT_PASSED_ON.has(name)) fields.push(name, rawHeaders[n + 1]!)
  }
  const answer = new Answer(statusCode, Readable.toWeb(response) as ReadableStream<Uint8Array>, fields)
  answer.length = length
  answer.trailers = () => response.trailers as Readonly<Record<string, string>>
  return answer
}
