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

/** The outer groups' first, each once. */
export function tagsOf({ groups, endpoint }: MountedRoute): readonly string[] {
  return [...new Set([...groups.flatMap(group => group.tags), ...(endpoint.spec.tags ?? [])])]
}

/**
 * An id for each route: its own, else what its groups make of it, else the words of its method and path in camel case, with a number
 * where that is taken. A route that is included twice has its own id once, and numbers behind it.
 *
 * @throws UsageError `APP_DUPLICATE_OPERATION_ID` naming both routes
 */
export function operationIds(routes: readonly MountedRoute[]): ReadonlyMap<MountedRoute, string> {
  const owners = new Map<string, MountedRoute>()
  const ids = new Map<MountedRoute, string>()
  for (const route of routes) {
    const operationId = route.endpoint.spec.operationId ?? madeBy(route)
    if (operationId === undefined) continue
    const owner = owners.get(operationId)
    if (owner?.endpoint === route.endpoint) continue
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
    const base = route.endpoint.spec.operationId ?? camelCase(routeWords(route.endpoint.method, route.path))
    let id = base
    for (let n = 2; owners.has(id); n++) id = `${base}${n}`
    owners.set(id, route)
    ids.set(route, id)
  }
  return ids
}

function madeBy(route: MountedRoute): string | undefined {
  const make = route.groups.findLast(group => group.operationIds)?.operationIds
  return make?.({ method: route.endpoint.method, path: route.path, tags: tagsOf(route) })
}

function wordsOf(text: string): readonly string[] {
  return text
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .split(/[^\p{L}\p{N}]+/u)
    .filter(word => word !== '')
    .map(word => word.toLowerCase())
}

/** Words in camel case, for an id. */
export function wordId(texts: readonly string[]): string {
  return camelCase(texts.flatMap(wordsOf))
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
