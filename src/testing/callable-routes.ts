// The routes of an app as a test calls them: by value wherever they are included, or by the path that their types know.
import type { App } from '../app/app.ts'
import type { DependencyDefinition } from '../app/dependency.ts'
import { statusMap } from '../app/responder.ts'
import type { EndpointDefinition, MountedRoute } from '../app/route.ts'
import { UsageError } from '../core/error.ts'
import { reasonPhrase } from '../http/status.ts'

/** An endpoint, or what is said of one. */
export interface NamedCall {
  readonly method: string
  readonly path: string
}

export class CallableRoutes {
  readonly #byValue = new Map<EndpointDefinition, MountedRoute[]>()
  readonly #byName = new Map<string, MountedRoute>()
  readonly #prefix: string

  constructor(app: App<any, any>, prefix: string) {
    this.#prefix = prefix
    for (const route of app['~mounted']()) {
      this.#byValue.set(route.endpoint, [...(this.#byValue.get(route.endpoint) ?? []), route])
      this.#byName.set(route.name, route)
    }
  }

  /**
   * @returns the path to ask, and the route where there is one
   * @throws UsageError `CALL_NOT_IN_APP`
   */
  find(call: NamedCall): { readonly path: string; readonly route: MountedRoute | undefined } {
    const { method } = call
    const path = this.#prefix + call.path
    if (!isEndpoint(call)) {
      const named = this.#byName.get(`${method} ${path}`)
      return { path, route: named ?? (method === 'HEAD' ? this.#byName.get(`GET ${path}`) : undefined) }
    }
    const mounted = this.#byValue.get(call) ?? []
    const route = mounted.find(route => route.path === path) ?? mounted[0]
    if (!route)
      throw new UsageError(
        'CALL_NOT_IN_APP',
        `${method} ${call.path} is not in this app: include it, or call testClient(endpoint)`,
      )
    return { path: route.path, route }
  }
}

function isEndpoint(call: NamedCall): call is EndpointDefinition {
  return 'spec' in call
}

// Those of Calls, beside what a route declares.
const STANDING: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 408, 413, 415, 422, 429, 500, 503, 504])
// Conditional requests and ranges of files.
const CONDITIONAL: ReadonlySet<number> = new Set([412, 416])

/** Whether a typed caller knows of it. What is no refusal is not asked about: a Response or a file may have any status below 400. */
export function mayAnswer({ endpoint, groups }: MountedRoute, status: number): boolean {
  if (status < 400 || STANDING.has(status) || CONDITIONAL.has(status)) return true
  const uses = [...groups.map(group => group.uses), endpoint.spec.uses ?? {}].flatMap(uses => Object.values(uses))
  const around = [...groups.flatMap(group => group.use), ...(endpoint.spec.use ?? [])]
  return (
    statusMap(endpoint.spec.returns)?.[status] !== undefined ||
    groups.some(group => status in group.returns) ||
    uses.some(used => declares(used, status)) ||
    around.some(middleware => middleware['~adds']?.(endpoint.method).statuses?.includes(status))
  )
}

function declares({ returns, uses }: DependencyDefinition, status: number): boolean {
  return (returns !== undefined && status in returns) || Object.values(uses).some(used => declares(used, status))
}

export function undeclared({ name }: MountedRoute, { status }: Response, body: unknown): UsageError {
  const shown = typeof body === 'string' ? body : JSON.stringify(body)
  return new UsageError(
    'CALL_UNDECLARED_STATUS',
    `${name} answered ${status} ${reasonPhrase(status)}, which it does not declare: add ${status} to its \`returns\`, or ask with fetch(); it said ${shown}`,
  )
}
