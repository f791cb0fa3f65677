// Finds a route of an app by its path string, or by itself, and says which path it has there.
import { UsageError } from '../core/error.ts'
import { didYouMean } from '../core/nearest-name.ts'
import { mountOf } from './mount.ts'
import { mountPrefix } from './mounted-apps.ts'
import type { Endpoint, MountedRoute } from './route.ts'

/**
 * @returns the pattern with all prefixes, and with the host where the route has one; what is below a mount stands as it was asked for
 * @throws UsageError `APP_NO_ROUTE`
 */
export function pathOf(asked: string | Endpoint<any, string, any>, routes: readonly MountedRoute[]): string {
  if (typeof asked !== 'string') {
    const found = routes.find(route => route.endpoint === (asked as unknown))
    if (found) return full(found)
    throw new UsageError('APP_NO_ROUTE', `${asked.method} ${asked.path} is no route of this app; include it`)
  }
  if (routes.some(route => full(route) === asked)) return asked
  if (routes.some(route => mountOf(route.endpoint) && asked.startsWith(`${mountPrefix(route)}/`))) return asked
  throw new UsageError(
    'APP_NO_ROUTE',
    `no route of this app is at ${asked}${didYouMean(asked, new Set(routes.map(full)))}`,
  )
}

function full({ host, path }: MountedRoute): string {
  return host === undefined ? path : `//${host}${path}`
}
