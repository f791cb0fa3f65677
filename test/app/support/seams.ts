// Every app test runs through each seam: app.fetch() in this process, the engine over a connection in memory, and app.nodeHandler() in
// a node:http server on a port of its own.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { App } from 'millrace'
import { testClient } from 'millrace/testing'
import { ask } from '../../../src/testing/ask.ts'

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
