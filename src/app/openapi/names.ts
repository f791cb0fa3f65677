// Names that a document needs and nobody gave: operation ids and summaries.
import { UsageError } from '../../core/error.ts'
import { parsePattern } from '../pattern.ts'
import type { MountedRoute } from '../route.ts'

/** 'GET /carts/{id}/line-items' is get, carts, by id, line items: plain words, in the order of the path. */
export function routeWords(method: string, path: string): readonly string[] {
  const words = parsePattern(path).flatMap(segment =>
    segment.kind === 'text' ? wordsOf(segment.text) : ['by', ...wordsOf(segment.name)],
  )
  return [method.toLowerCase(), ...(words.length === 0 ? ['root'] : words)]
}

/** 'Get carts by id line items'. */
export function defaultSummary(method: string, path: string): string {
  const text = routeWords(method, path).join(' ')
  return text[0]!.toUpperCase() + text.slice(1)
}

/**
 * An id for each route: its own, else the words of its method and path in camel case, with a number where that is taken.
 *
 * @throws UsageError `APP_DUPLICATE_OPERATION_ID` naming both routes
 */
export function operationIds(routes: readonly MountedRoute[]): ReadonlyMap<MountedRoute, string> {
  const owners = new Map<string, MountedRoute>()
  const ids = new Map<MountedRoute, string>()
  for (const route of routes) {
    const { operationId } = route.endpoint.spec
    if (operationId === undefined) continue
    const owner = owners.get(operationId)
    if (owner)
      throw new UsageError(
        'APP_DUPLICATE_OPERATION_ID',
        `operationId ${operationId} is given to both ${owner.name} and ${route.name}; each route needs its own`,
      )
    owners.set(operationId, route)
    ids.set(route, operationId)
  }
  for (const route of routes) {
    if (ids.has(route)) continue
    const base = camelCase(routeWords(route.endpoint.method, route.path))
    let id = base
    for (let n = 2; owners.has(id); n++) id = `${base}${n}`
    owners.set(id, route)
    ids.set(route, id)
  }
  return ids
}

function wordsOf(text: string): readonly string[] {
  return text
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .split(/[^\p{L}\p{N}]+/u)
    .filter(word => word !== '')
    .map(word => word.toLowerCase())
}

function camelCase(words: readonly string[]): string {
  const ascii = words
    .flatMap(word =>
      word
        .replaceAll(/[^a-z0-9]+/g, ' ')
        .trim()
        .split(' '),
    )
    .filter(word => word !== '')
  return ascii.map((word, n) => (n === 0 ? word : word[0]!.toUpperCase() + word.slice(1))).join('')
}
