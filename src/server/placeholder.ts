// In development, what answers at the address of an app that has never run: why it does not. A browser that waits there finds the app as
// soon as it runs.
import { once } from 'node:events'
import { http } from '../core/node-http.ts'
import { usesTls } from './certificate.ts'
import { DEV_QUESTION, devPage, isNavigation } from './dev-page.ts'
import { readEnvironment } from './environment.ts'
import type { GenerationSource } from './generation.ts'
import { listenAddress, urlOf } from './listener.ts'
import { placeOf, resolveSettings } from './settings-sources.ts'

export interface Placeholder {
  readonly url: string
  close(): Promise<void>
}

/**
 * Listens where the app will, as far as that is known without it: by flags and environment.
 *
 * @returns undefined where nobody knows the address yet, or nothing can listen there: the start of the app will say why
 */
export async function openPlaceholder(
  flags: GenerationSource['flags'],
  message: string,
): Promise<Placeholder | undefined> {
  const environment = await readEnvironment(process.cwd(), placeOf('dotenv', flags))
  const { values } = resolveSettings({ command: 'dev', flags, environment, configFile: undefined, app: {} })
  const address = listenAddress(values)
  if (address.kind !== 'tcp' || address.port === 0 || usesTls(values)) return undefined
  const server = http.createServer((request, response) => {
    const { headers, method = '' } = request
    const isPage = isNavigation(method, headers['sec-fetch-dest'])
    const isQuestion = headers[DEV_QUESTION] !== undefined
    const [type, body] = isPage
      ? ['text/html; charset=utf-8', devPage(message, false)]
      : isQuestion
        ? ['text/plain; charset=utf-8', message]
        : ['application/problem+json', JSON.stringify({ title: 'The app does not run', status: 503, detail: message })]
    response.writeHead(503, { 'content-type': type, 'cache-control': 'no-store', connection: 'close' })
    response.end(body)
  })
  try {
    server.listen(address.port, address.host)
    await once(server, 'listening')
  } catch {
    return undefined
  }
  return {
    url: urlOf(address),
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
