// Which middleware is around a request that no route takes: that of the router whose prefix its path is under, the longest one that fits.
// A CORS preflight asks about another request, so it gets what is around the route that would take that one.
import type { Exchange } from '../http/exchange.ts'
import { isInert } from './additions.ts'
import type { CompiledRoute } from './compiled-route.ts'
import type { Middleware } from './compose.ts'
import { parsePattern, type PatternSegment } from './pattern.ts'
import type { Group } from './route.ts'
import type { RouteTable } from './route-table.ts'

interface Prefix {
  readonly segments: readonly PatternSegment[]
  readonly middleware: readonly Middleware[]
}

/**
 * @param own  the app's
 * @param prefixed  groups from the outside in, the last of which has a prefix
 */
export function unroutedMiddleware(
  table: RouteTable<CompiledRoute>,
  own: readonly Middleware[],
  prefixed: readonly (readonly Group[])[],
): (exchange: Exchange) => readonly Middleware[] {
  const active = own.filter(each => !isInert(each))
  const prefixes = prefixesOf(prefixed, active.length)
  return exchange => {
    const asked = exchange.method === 'OPTIONS' ? exchange.fields.get('access-control-request-method') : undefined
    const route = asked === undefined ? undefined : table.find(asked, exchange.path)
    if (route) return route.target.middleware
    return prefixes.find(prefix => isUnder(exchange.path, prefix))?.middleware ?? active
  }
}

/** The longest first; none where there is nothing around any of them but the app's own. */
function prefixesOf(prefixed: readonly (readonly Group[])[], ownCount: number): readonly Prefix[] {
  const byPrefix = new Map<string, readonly Middleware[]>()
  for (const groups of prefixed) {
    const prefix = groups.map(group => group.prefix).join('')
    const middleware = groups.flatMap(group => group.use).filter(each => !isInert(each))
    const known = byPrefix.get(prefix)
    // Two routers under one prefix: neither speaks for what neither takes, but what is around both does.
    byPrefix.set(prefix, known ? inCommon(known, middleware) : middleware)
  }
  if (![...byPrefix.values()].some(middleware => middleware.length > ownCount)) return []
  return [...byPrefix]
    .map(([prefix, middleware]) => ({ segments: parsePattern(prefix), middleware }))
    .sort((a, b) => b.segments.length - a.segments.length)
}

function inCommon(one: readonly Middleware[], other: readonly Middleware[]): readonly Middleware[] {
  const differs = one.findIndex((each, n) => each !== other[n])
  return differs === -1 ? one : one.slice(0, differs)
}

function isUnder(path: string, { segments }: Prefix): boolean {
  const parts = path.split('/')
  return segments.every((segment, n) => {
    const part = parts[n + 1]
    return segment.kind === 'text' ? part === segment.text : part !== undefined && part !== ''
  })
}
