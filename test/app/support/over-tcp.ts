// An app on the engine over a real socket, for tests that count bytes.
import type { App } from 'millrace'
import { Engine } from '../../../src/http/engine.ts'
import { type Client, overTcp } from '../../http/support/connect.ts'

/** Runs `check` with one connection to the app, and ends both. */
export async function overSocket(app: App<any, any>, check: (client: Client) => Promise<void>): Promise<void> {
  const started = await app.start()
  const engine = new Engine(started.handler)
  const client = await overTcp.open(engine)
  try {
    await check(client)
  } finally {
    client.destroy()
    engine.close()
    await started.stop(1000)
  }
}

/** A request without a body. */
export function get(path: string, fields: readonly string[] = [], method = 'GET'): string {
  return [`${method} ${path} HTTP/1.1`, 'Host: a', ...fields, '', ''].join('\r\n')
}
