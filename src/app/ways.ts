// Which routes a request is looked up in: all of them, or, where an app has routes by host or by version, those of its own.
//
// A table for each pair that occurs. Routes that name a host or a version come first in it, those that name none fill what is left: they
// are there for everybody. An app that names neither has one table, and nothing here runs for its requests.
import type { Exchange } from '../http/exchange.ts'
import type { Handler } from '../http/handler.ts'
import type { CompiledRoute } from './compiled-route.ts'
import { conclude } from './conclude.ts'
import { handle, handleAt, type Surroundings } from './handle.ts'
import { type HostPattern, hostOf, parseHost } from './host-pattern.ts'
import { ANY_METHOD } from './mount.ts'
import { problemAnswer } from './problem.ts'
import { RequestState } from './request-state.ts'
import type { MountedRoute } from './route.ts'
import { RouteTable } from './route-table.ts'
import { type Versioning, versionFor, versionsOf } from './versions.ts'

export interface RoutedRoute {
  readonly mounted: MountedRoute
  readonly route: CompiledRoute
}

export interface Ways {
  readonly handler: Handler
  takes(exchange: Exchange): boolean
}

/** @throws UsageError `APP_DUPLICATE_ROUTE`, `APP_BAD_HOST`, `APP_NO_VERSION` */
export function waysOf(
  routes: readonly RoutedRoute[],
  versioning: Versioning | undefined,
  surroundings: (table: RouteTable<CompiledRoute>) => Surroundings,
): Ways {
  const hosts = hostsOf(routes)
  const versions = versionsOf(
    routes.map(({ mounted }) => mounted),
    versioning,
  )
  if (hosts.length === 0 && versions === undefined) {
    const table = tableOf(routes, undefined, undefined)
    return { handler: handle(surroundings(table)), takes: exchange => takes(table, exchange) }
  }
  const doors = new Map<string, Surroundings>()
  for (const host of [undefined, ...hosts])
    for (const version of versions?.all ?? [undefined])
      doors.set(key(host, version), surroundings(tableOf(routes, host?.text, version)))
  const find = (exchange: Exchange) => {
    const { host, values } = hostFor(hosts, exchange)
    return { of: doors.get(key(host, versions && versionFor(versions, exchange)))!, values }
  }
  const unknown = doors.get(key(undefined, versions?.default))!
  return {
    handler(exchange) {
      let found: ReturnType<typeof find>
      try {
        found = find(exchange)
      } catch (error) {
        return conclude(unknown, new RequestState(exchange, unknown.log), problemAnswer(error, unknown.format))
      }
      return handleAt(found.of, exchange, found.values)
    },
    takes(exchange) {
      try {
        return takes(find(exchange).of.table, exchange)
      } catch {
        return true
      }
    },
  }
}

function takes(table: RouteTable<CompiledRoute>, { method, path }: Exchange): boolean {
  return table.find(method, path) !== undefined || (method === 'OPTIONS' && table.allowed(path).length > 0)
}

function key(host: HostPattern | undefined, version: string | undefined): string {
  return `${host?.text ?? ''} ${version ?? ''}`
}

function tableOf(routes: readonly RoutedRoute[], host: string | undefined, version: string | undefined) {
  const table = new RouteTable<CompiledRoute>()
  const fits = routes.filter(({ mounted }) => isAt(mounted, host, version))
  // What an app answers on a host of its own is not mixed with what is there for everybody.
  const isTaken = host !== undefined && fits.some(({ mounted }) => mounted.host === host && takesAll(mounted))
  const ranked = fits.map(each => ({ ...each, rank: rankOf(each.mounted) })).sort((a, b) => b.rank - a.rank)
  const ranks = new Map<string, number>()
  for (const { mounted, route, rank } of ranked) {
    if (isTaken && mounted.host === undefined) continue
    const { method } = mounted.endpoint
    const place = `${method} ${table.shape(mounted.path)}`
    if ((ranks.get(place) ?? rank) > rank) continue
    ranks.set(place, rank)
    table.add(method, mounted.path, route)
  }
  return table
}

export function isAt(route: MountedRoute, host: string | undefined, version: string | undefined): boolean {
  return (route.host === undefined || route.host === host) && (route.version === undefined || route.version === version)
}

function rankOf({ host, version }: MountedRoute): number {
  return (host === undefined ? 0 : 2) + (version === undefined ? 0 : 1)
}

function takesAll({ endpoint, path }: MountedRoute): boolean {
  return (endpoint.method as string) === ANY_METHOD && /^\/(?:\{[^/]*\*\})?$/.test(path)
}

function hostsOf(routes: readonly RoutedRoute[]): readonly HostPattern[] {
  const texts = new Set(routes.flatMap(({ mounted }) => mounted.host ?? []))
  // Text before names; Array.sort keeps the order of declaration among equals.
  return [...texts].map(parseHost).sort((a, b) => a.names.length - b.names.length)
}

const NO_VALUES: readonly string[] = []

function hostFor(hosts: readonly HostPattern[], { authority }: Exchange) {
  const name = hostOf(authority)
  for (const host of hosts) {
    const values = host.match(name)
    if (values) return { host, values }
  }
  return { host: undefined, values: NO_VALUES }
}
