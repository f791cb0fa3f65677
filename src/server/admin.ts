// The admin listener: health and counters of all workers, on an address of its own, answered by the supervisor.
//
// On node:http and not on our engine: a fault in the engine must not take away the sight of it, and nobody counts its microseconds.
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { http } from '../core/node-http.ts'
import type { Logger } from '../observe/logger.ts'
import type { Controlled } from './control-commands.ts'
import { MOST_TAGS, tagsOf } from './control-protocol.ts'
import { listenError, urlOf } from './listener.ts'
import type { SocketAddress } from './setting-types.ts'
import { isReady, prometheusText, type ServerStatus } from './status.ts'

export interface Admin {
  readonly url: string
  readonly address: SocketAddress
  /** Of the listener; undefined where the system has none. */
  readonly fd: number | undefined
  close(): Promise<void>
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

const plain = (status: number, body: string): Answer => ({
  status,
  type: 'text/plain; charset=utf-8',
  body: `${body}\n`,
})

const PAGES: Readonly<Record<string, (status: ServerStatus) => Answer>> = {
  /** The supervisor's loop runs: restart it when this fails. */
  '/livez': () => plain(200, 'alive'),
  /** Send requests here. */
  '/readyz': status =>
    isReady(status) ? plain(200, 'ready') : plain(503, status.isStopping ? 'draining' : 'no worker is ready'),
  /** The first workers have become ready, at some time. */
  '/startupz': status => (status.hasStarted ? plain(200, 'started') : plain(503, 'starting')),
  '/metrics': status => ({
    status: 200,
    type: 'text/plain; version=0.0.4; charset=utf-8',
    body: prometheusText(status),
  }),
  '/status': status => ({ status: 200, type: 'application/json', body: `${JSON.stringify(status, null, 2)}\n` }),
}

/**
 * @param isExplicit  somebody asked for this address: a busy one is an error. By default it is a warning, and the server goes on
 *   without: two servers on one machine should not need a flag.
 * @param fd  it is bound already, to this address
 * @returns undefined when off, or busy by default
 * @throws StartError `LISTEN_*`, exit code 4
 */
export async function openAdmin(
  address: SocketAddress | null,
  isExplicit: boolean,
  controlled: Pick<Controlled, 'status' | 'purge'>,
  log: Logger,
  fd?: number,
): Promise<Admin | undefined> {
  if (address === null) return undefined
  const server = http.createServer((request, response) => void respond(request, response, controlled))
  const wanted = { kind: 'tcp', ...address } as const
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).once('listening', resolve)
      if (fd === undefined) server.listen(address.port, address.host)
      else server.listen({ fd })
    })
  } catch (error) {
    const failure = listenError(error, wanted, 'admin')
    if (isExplicit) throw failure
    log.warn(`no admin listener: ${address.host}:${address.port} is taken; --admin chooses another address, or off`)
    return undefined
  }
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : address.port
  return {
    url: urlOf({ ...wanted, port }),
    address: { ...address, port },
    fd: descriptorOf(server),
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Node keeps it under this name, and tells it by no other. */
function descriptorOf(server: Server): number | undefined {
  const { _handle: handle } = server as unknown as { readonly _handle?: { readonly fd?: number } }
  return handle?.fd !== undefined && handle.fd > 2 ? handle.fd : undefined
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  controlled: Pick<Controlled, 'status' | 'purge'>,
): Promise<void> {
  const [path = '', query = ''] = (request.url ?? '').split('?', 2)
  const answer =
    path === PURGE
      ? await purge(request, query, controlled)
      : page(path, request.method === 'GET' || request.method === 'HEAD', controlled)
  // What a POST may have brought is not read.
  request.resume()
  response.writeHead(answer.status, {
    'content-type': answer.type,
    'content-length': Buffer.byteLength(answer.body),
    'cache-control': 'no-store',
    ...(answer.status === 405 ? { allow: path === PURGE ? 'POST' : 'GET, HEAD' } : {}),
  })
  response.end(request.method === 'HEAD' ? undefined : answer.body)
}

function page(path: string, isRead: boolean, controlled: Pick<Controlled, 'status'>): Answer {
  const found = Object.hasOwn(PAGES, path) ? PAGES[path] : undefined
  if (!found) return plain(404, `not here; try ${[...Object.keys(PAGES), PURGE].join(' ')}`)
  return isRead ? found(controlled.status()) : plain(405, 'GET only')
}

/** POST: the caches of all workers forget what carries one of the tags. */
const PURGE = '/cache/purge'

async function purge(request: IncomingMessage, query: string, controlled: Pick<Controlled, 'purge'>): Promise<Answer> {
  if (request.method !== 'POST') return plain(405, 'POST only, with ?tag=TAG for each tag')
  // A page in a browser of this machine can send one, and names where it is from.
  if (request.headers.origin !== undefined) return plain(403, 'not from a page of a browser')
  let tags: readonly string[]
  try {
    tags = tagsOf(new URLSearchParams(query).getAll('tag'))
  } catch {
    return plain(400, `1 to ${MOST_TAGS} tags are to be named: ${PURGE}?tag=TAG&tag=ANOTHER`)
  }
  try {
    await controlled.purge(tags)
    return { status: 200, type: 'application/json', body: `${JSON.stringify({ purged: tags })}\n` }
  } catch (error) {
    return plain(503, (error as Error).message)
  }
}
