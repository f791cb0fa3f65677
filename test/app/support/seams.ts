// Every app test runs through both seams: app.fetch() in this process, and the engine over a connection in memory.
import { test } from 'node:test'
import type { App } from 'millrace'
import { testClient } from 'millrace/testing'

export type Ask = (path: `/${string}`, init?: RequestInit) => Promise<Response>

const SEAMS: Readonly<Record<string, (app: App<any, any>) => { ask: Ask; close: () => Promise<void> }>> = {
  fetch: app => ({
    ask: (path, init) => app.fetch(new Request(`http://testserver${path}`, init)),
    close: async () => {},
  }),
  engine: app => {
    const client = testClient(app)
    return { ask: (path, init) => client.fetch(path, init), close: () => client.close() }
  },
}

/** One test a seam; `make` builds a new app for each. */
export function onEachSeam(
  sentence: string,
  make: () => App<any, any>,
  check: (ask: Ask, app: App<any, any>) => Promise<void>,
): void {
  for (const [name, open] of Object.entries(SEAMS))
    test(`${sentence} (${name})`, async () => {
      const app = make()
      const seam = open(app)
      try {
        await check(seam.ask, app)
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
