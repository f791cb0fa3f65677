// Every app test runs through each seam: app.fetch() in this process, the engine over a connection in memory, and app.nodeHandler() in
// a node:http server on a port of its own.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { constants, type IncomingHttpHeaders, type IncomingHttpStatusHeader } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import type { App } from 'millrace'
import { testClient } from 'millrace/testing'
import { Engine } from '../../../src/http/engine.ts'
import { ask } from '../../../src/testing/ask.ts'
import { connect } from '../../http/support/http2-client.ts'

export type Ask = (path: `/${string}`, init?: RequestInit) => Promise<Response>

export interface Seam {
  readonly ask: Ask
  close(): Promise<void>
}

export type SeamName = keyof typeof SEAMS

export const SEAMS = {
  fetch: (app: App<any, any>): Seam => ({
    ask: (path, init) => app.fetch(new Request(`http://testserver${path}`, init)),
    close: () => app.close(),
  }),
  engine: (app: App<any, any>): Seam => {
    const client = testClient(app)
    return { ask: (path, init) => client.fetch(path, init), close: () => client.close() }
  },
  node: (app: App<any, any>): Seam => {
    const server = createServer(app.nodeHandler()).listen(0, '127.0.0.1')
    const listening = once(server, 'listening')
    return {
      async ask(path, init = {}) {
        await listening
        return ask(path, init, { host: '127.0.0.1', port: (server.address() as AddressInfo).port })
      },
      async close() {
        server.close()
        server.closeAllConnections()
        await app.close()
      },
    }
  },
}

/** The engine over HTTP/2, with prior knowledge: for tests of what differs between protocols. */
function http2Seam(app: App<any, any>): Seam {
  const running = app.start().then(async started => {
    const engine = new Engine(started.handler)
    return { started, engine, connected: await connect(engine) }
  })
  return {
    async ask(path, init = {}) {
      const { connected } = await running
      const asked = new Request(`http://testserver${path}`, init)
      const head = { ':path': path, ':method': asked.method, ':authority': 'testserver', ':scheme': 'http' }
      const stream = connected.session.request({ ...head, ...Object.fromEntries(asked.headers) }, { endStream: false })
      // What is wrong with a body is told by reading it.
      stream.on('error', () => {})
      asked.signal.addEventListener('abort', () => stream.close(constants.NGHTTP2_CANCEL))
      stream.end(asked.body === null ? undefined : Buffer.from(await asked.arrayBuffer()))
      const [fields] = (await once(stream, 'response')) as [IncomingHttpHeaders & IncomingHttpStatusHeader]
      const headers = new Headers()
      for (const [name, value] of Object.entries(fields))
        for (const each of [value ?? []].flat()) if (!name.startsWith(':')) headers.append(name, String(each))
      const isBodyless = asked.method === 'HEAD' || fields[':status'] === 204
      if (isBodyless) stream.resume()
      const body = isBodyless ? null : (Readable.toWeb(stream) as ReadableStream)
      return new Response(body, { status: fields[':status']!, headers })
    },
    async close() {
      const { started, engine, connected } = await running
      connected.close()
      engine.close()
      await started.stop(5000)
    },
  }
}

/** As onEachSeam, and over HTTP/2. */
export function onEachProtocol(
  sentence: string,
  make: () => App<any, any>,
  check: (ask: Ask, app: App<any, any>, seam: SeamName | 'http2') => Promise<void>,
): void {
  onEachSeam(sentence, make, check)
  test(`${sentence} (http2)`, async () => {
    const app = make()
    const seam = http2Seam(app)
    try {
      await check(seam.ask, app, 'http2')
    } finally {
      await seam.close()
    }
  })
}

/** One test a seam; `make` builds a new app for each. A seam is left out by name, with the reason. */
export function onEachSeam(
  sentence: string,
  make: () => App<any, any>,
  check: (ask: Ask, app: App<any, any>, seam: SeamName) => Promise<void>,
  skip: Partial<Record<SeamName, string>> = {},
): void {
  for (const name of Object.keys(SEAMS) as SeamName[])
    test(`${sentence} (${name})`, { skip: skip[name] ?? false }, async () => {
      const app = make()
      const seam = SEAMS[name](app)
      try {
        await check(seam.ask, app, name)
      } finally {
        await seam.close()
      }
    })
}

export const silent = { debug() {}, info() {}, warn() {}, error() {} }

export function json(body: unknown, init: RequestInit = {}): RequestInit {
  return {
    method: 'POST',
    ...init,
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...init.headers },
  }
}
