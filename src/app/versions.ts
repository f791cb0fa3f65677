// Versions of routes, told apart by a request field. A version in the path needs none of this: it is a prefix.
import { MillraceError, UsageError } from '../core/error.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Middleware } from './compose.ts'
import type { Group, MountedRoute } from './route.ts'

/** How an app tells the versions of its routes apart. */
export interface Versioning {
  /** The request field that names one. Default 'api-version'. */
  header?: string
  /** For requests that name none. Default: the lowest there is, so that those who never said keep what they have. */
  default?: string
}

export interface Versions {
  readonly header: string
  readonly all: readonly string[]
  readonly default: string
}

/** undefined where no route has one. @throws UsageError `APP_NO_VERSION` for a default that no route has */
export function versionsOf(routes: readonly MountedRoute[], of: Versioning = {}): Versions | undefined {
  const found = new Set(routes.flatMap(({ version }) => version ?? []))
  if (found.size === 0) return undefined
  const all = [...found].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  if (of.default !== undefined && !found.has(of.default))
    throw new UsageError(
      'APP_NO_VERSION',
      `the default version is ${of.default}, and the versions of routes are ${all.join(', ')}`,
    )
  return { header: (of.header ?? 'api-version').toLowerCase(), all, default: of.default ?? all[0]! }
}

/** Around routes that have versions, for caches between us and clients. */
export function varyBy(header: string): Group {
  const use: Middleware = async (_context, next) => {
    const answer = await next()
    answer.headers.addToList('vary', header)
  }
  return { prefix: '', tags: [], uses: {}, returns: {}, use: [use] }
}

/** @throws MillraceError `APP_NO_VERSION` (400) for one that no route has */
export function versionFor({ header, all, default: usual }: Versions, exchange: Exchange): string {
  const asked = exchange.fields.get(header)
  if (asked === undefined) return usual
  if (all.includes(asked)) return asked
  throw new MillraceError('APP_NO_VERSION', `${header} asks for a version that no route has`, {
    status: 400,
    detail: `There is no such version; ${header} may be ${all.join(', ')}`,
  })
}
