// What a request gets that no route takes: 404, 405 with every method the path has, OPTIONS, or the way to the other slash.
import type { Exchange } from '../http/exchange.ts'
import { Answer } from './answer.ts'
import { missingOf } from './below.ts'
import { HttpError } from './http-error.ts'
import { type ErrorFormat, problemAnswer } from './problem.ts'
import type { RouteTable } from './route-table.ts'

/** What an app says of the requests that no route takes. */
export interface UnroutedRules {
  readonly format: ErrorFormat
  /** Default true. */
  readonly redirectSlashes?: boolean
}

export function unrouted(table: RouteTable<unknown>, exchange: Exchange, of: UnroutedRules): Answer {
  const { format, redirectSlashes = true } = of
  const { method, path } = exchange
  if (path === '*') return new Answer(204, null, ['allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'])
  const allow = allowed(table, path)
  if (allow) {
    if (method === 'OPTIONS') return new Answer(204, null, ['allow', allow])
    const answer = problemAnswer(
      new HttpError(405, `${method} is not among the methods of this path: ${allow}`),
      format,
    )
    answer.headers.set('allow', allow)
    return answer
  }
  const elsewhere = redirectSlashes ? otherSlash(exchange) : undefined
  if (elsewhere && allowed(table, elsewhere.path)) return new Answer(307, null, ['location', elsewhere.location])
  return problemAnswer(new HttpError(404, format === 'fastapi' ? undefined : `Nothing is at ${path}`), format)
}

/** HEAD comes with GET and OPTIONS with everything. */
function allowed(table: RouteTable<unknown>, path: string): string | undefined {
  const methods = new Set(table.allowed(path))
  if (methods.size === 0) return undefined
  if (methods.has('GET')) methods.add('HEAD')
  methods.add('OPTIONS')
  return [...methods].sort().join(', ')
}

function otherSlash(exchange: Exchange): { path: string; location: string } | undefined {
  const { path, target, search } = exchange
  if (path === '/') return undefined
  const at = target.indexOf('?')
  const raw = target.startsWith('/') ? (at === -1 ? target : target.slice(0, at)) : encodeURI(path)
  // '//host/' in a Location names another host: an open redirect. A raw backslash is the same to browsers.
  if (raw.startsWith('//') || raw.includes('\\')) return undefined
  const change = (text: string) => (path.endsWith('/') ? text.slice(0, -1) : `${text}/`)
  const query = search === '' ? '' : `?${search}`
  if (path.endsWith('/') && !raw.endsWith('/')) return undefined
  return { path: change(path), location: missingOf(exchange) + change(raw) + query }
}
