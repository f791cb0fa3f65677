// The platform's fetch over any connection, by node:http's client, and exactly as asked: no redirect is followed, nothing is decoded.
import { request, type RequestOptions } from 'node:http'
import { Readable } from 'node:stream'

/** @param over  where to: `createConnection`, or `host` and `port` */
export async function ask(path: string, init: RequestInit, over: RequestOptions): Promise<Response> {
  // The platform's Request does the work of reading an init.
  const asked = new Request(`http://testserver${path}`, init)
  const payload = asked.body === null ? undefined : Buffer.from(await asked.arrayBuffer())
  const { promise, resolve, reject } = Promise.withResolvers<Response>()
  const sent = request(
    {
      ...over,
      method: asked.method,
      path,
      headers: {
        host: 'testserver',
        connection: 'close',
        ...Object.fromEntries(asked.headers),
        ...(payload ? { 'content-length': payload.length } : {}),
      },
      signal: asked.signal,
    },
    answer => {
      const headers = new Headers()
      for (let n = 0; n + 1 < answer.rawHeaders.length; n += 2)
        headers.append(answer.rawHeaders[n]!, answer.rawHeaders[n + 1]!)
      const status = answer.statusCode!
      const isBodyless = status === 204 || status === 205 || status === 304 || asked.method === 'HEAD'
      if (isBodyless) answer.resume()
      resolve(new Response(isBodyless ? null : (Readable.toWeb(answer) as ReadableStream), { status, headers }))
    },
  )
  sent.on('error', error => reject(asked.signal.aborted ? asked.signal.reason : error))
  sent.end(payload)
  return promise
}
