// Security in the document: the schemes under components, and for each operation what a request has to show for it.
import { UsageError } from '../../core/error.ts'
import { DependencyPlan } from '../dependencies.ts'
import type { MountedRoute } from '../route.ts'
import type { Scheme } from '../security/scheme.ts'
import type { JsonObject } from './components.ts'

/** Names of schemes and the scopes required of each: all of them together. */
export type Requirement = Readonly<Record<string, readonly string[]>>

export interface RouteSecurity {
  /** Any one of these will do; an empty one stands for nothing at all. */
  readonly alternatives: readonly Requirement[]
  readonly requiresScopes: boolean
}

/** Schemes by name, once per document. */
export class SecuritySchemes {
  readonly #byName = new Map<string, { readonly document: JsonObject; readonly text: string; readonly where: string }>()

  /**
   * @returns undefined for a route that asks for nothing
   * @throws UsageError `APP_COMPONENT_CLASH` for two different schemes that were given one name
   */
  use(route: MountedRoute): RouteSecurity | undefined {
    const { groups, endpoint } = route
    const plan = new DependencyPlan([...groups.map(group => group.uses), endpoint.spec.uses ?? {}], new Map())
    let alternatives: readonly Requirement[] | undefined
    let requiresScopes = false
    for (const { definition, scopes } of plan.guards) {
      const { security } = definition
      if (!security) continue
      requiresScopes ||= scopes.size > 0
      const own: Requirement[] = security.schemes.map(scheme => ({ [this.#name(scheme, route.name)]: [...scopes] }))
      if (security.isOptional) own.push({})
      alternatives = alternatives === undefined ? own : alternatives.flatMap(one => own.map(other => both(one, other)))
    }
    return alternatives && { alternatives: unique(alternatives), requiresScopes }
  }

  /** Sorted by name; undefined where there are none. */
  finish(): Readonly<Record<string, JsonObject>> | undefined {
    if (this.#byName.size === 0) return undefined
    const sorted = [...this.#byName].sort(([a], [b]) => (a < b ? -1 : 1))
    return Object.fromEntries(sorted.map(([name, { document }]) => [name, document]))
  }

  #name({ name, isNamed, document }: Scheme, where: string): string {
    const text = JSON.stringify(document)
    for (let n = 1; ; n++) {
      const candidate = n === 1 ? name : `${name}${n}`
      const before = this.#byName.get(candidate)
      if (before?.text === text) return candidate
      if (!before) {
        this.#byName.set(candidate, { document, text, where })
        return candidate
      }
      if (isNamed)
        throw new UsageError(
          'APP_COMPONENT_CLASH',
          `two different security schemes are called ${name}: in ${before.where} and in ${where}; give one of them another name`,
        )
    }
  }
}

function both(one: Requirement, other: Requirement): Requirement {
  const joined: Record<string, readonly string[]> = { ...one }
  for (const [name, scopes] of Object.entries(other)) joined[name] = [...new Set([...(joined[name] ?? []), ...scopes])]
  return joined
}

function unique(all: readonly Requirement[]): readonly Requirement[] {
  return [...new Map(all.map(each => [JSON.stringify(each), each])).values()]
}
