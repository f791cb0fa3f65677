// What a request must show before anything else happens: one way of telling who asks, or several of which one will do.
import { UsageError } from '../../core/error.ts'
import type { Exchange } from '../../http/exchange.ts'
import type { ErrorFormat } from '../problem.ts'

/** What a dependency declares as `security`. G: what its factory gets for it. */
export interface Security<G> {
  readonly '~gives': G
}

/** What the factory of every dependency with `security` gets. */
export interface RequiredScopes {
  /** All that the route, its routers and its dependencies require of it, each once, in the order in which they were declared. */
  readonly scopes: readonly string[]
}

/** Credentials by the names under which a factory gets them. */
export type Credentials = Readonly<Record<string, unknown>>

/** There is something, and it is not in the form that its scheme has. */
export const MALFORMED = Symbol('malformed')

/** Options of every scheme. */
export interface SchemeOptions {
  /** Its key in components.securitySchemes. Default: FastAPI's name for its kind. */
  readonly name?: string
  /** Markdown, for the documentation. */
  readonly description?: string
}

/** One way, as plain data. */
export interface Scheme {
  readonly name: string
  /** The application chose the name: another scheme of the same is a mistake. Else it gets a number. */
  readonly isNamed: boolean
  /** OpenAPI's Security Scheme Object. */
  readonly document: Readonly<Record<string, unknown>>
  readonly gives: readonly string[]
  /** Those that may be required; undefined where the scheme does not list them. */
  readonly scopes: readonly string[] | undefined
  /** For WWW-Authenticate (RFC 9110 §11.6.1). */
  readonly challenge: {
    readonly scheme: string
    readonly parameters: (format: ErrorFormat) => readonly (readonly [name: string, value: string])[]
    /** It has words for what is wrong, as RFC 6750 §3 has for Bearer. */
    readonly tellsErrors: boolean
  }
  /** @returns undefined when the request shows nothing of the kind */
  readonly read: (exchange: Exchange) => Credentials | typeof MALFORMED | undefined
}

/** The run-time form; what a Security really is. */
export class SecurityDefinition {
  /** The first that a request shows counts. */
  readonly schemes: readonly Scheme[]
  /** A request may show none. */
  readonly isOptional: boolean
  /** The names that a factory gets, `scopes` included. */
  readonly gives: readonly string[]

  constructor(schemes: readonly Scheme[], isOptional = false) {
    this.schemes = schemes
    this.isOptional = isOptional
    this.gives = [...new Set(schemes.flatMap(scheme => scheme.gives)), 'scopes']
  }

  /** @returns undefined when the request shows none of them */
  read(exchange: Exchange): Credentials | typeof MALFORMED | undefined {
    for (const { read } of this.schemes) {
      const found = read(exchange)
      if (found !== undefined) return found
    }
    return undefined
  }
}

/** @throws UsageError `APP_NOT_SECURITY` */
export function securityDefinition(of: unknown, where: string): SecurityDefinition {
  if (of instanceof SecurityDefinition) return of
  throw new UsageError(
    'APP_NOT_SECURITY',
    `${where}: security takes what bearer(), apiKey() and their like from 'millrace/security' give`,
  )
}

/** A scheme alone, typed as what it gives. */
export function secured<G>(
  of: Omit<Scheme, 'name' | 'isNamed'>,
  { name, description }: SchemeOptions,
  defaultName: string,
): Security<G & RequiredScopes> {
  const document = description === undefined ? of.document : { ...of.document, description }
  const scheme: Scheme = { ...of, document, name: name ?? defaultName, isNamed: name !== undefined }
  return new SecurityDefinition([scheme]) as unknown as Security<G & RequiredScopes>
}

/** Says that it takes no parameters. */
export const NO_PARAMETERS = (): readonly (readonly [string, string])[] => []

/** `realm` where there is one. */
export function realmOnly(realm: string | undefined): () => readonly (readonly [string, string])[] {
  return realm === undefined ? NO_PARAMETERS : () => [['realm', realm]]
}
