// Security that is not the only way in: none at all, or one of several.
import { UsageError } from '../../core/error.ts'
import { type RequiredScopes, type Security, SecurityDefinition, securityDefinition } from './scheme.ts'

type Absent<G> = { readonly [K in Exclude<keyof G, 'scopes'>]: G[K] | undefined }

/**
 * A request may come without: the factory then gets `undefined` where credentials would be. Credentials that are there and make no sense
 * are refused all the same.
 */
export function optional<G>(security: Security<G>): Security<Absent<G> & RequiredScopes> {
  const { schemes } = securityDefinition(security, 'optional()')
  return new SecurityDefinition(schemes, true) as unknown as Security<Absent<G> & RequiredScopes>
}

type Given<S> = S extends Security<infer G> ? G : never
type Keys<G> = G extends unknown ? keyof G : never
/** Of a union: each member with the names of the others as undefined, so that one look tells them apart. */
type Told<G, All> = G extends unknown ? G & { readonly [K in Exclude<Keys<All>, keyof G>]?: undefined } : never

/**
 * One of several, tried in this order; the first that the request shows counts.
 *
 * @example
 * dependency({ security: either(bearer(), apiKey({ in: 'header', name: 'X-API-Key' })) }, ({ token, key }) => token ? byToken(token) : byKey(key))
 */
export function either<const S extends readonly Security<any>[]>(
  ...of: S
): Security<Told<Given<S[number]>, Given<S[number]>>> {
  const all = of.map(each => securityDefinition(each, 'either()'))
  if (all.length < 2) throw new UsageError('APP_SECURITY', 'either() takes two or more')
  const isOptional = all.some(each => each.isOptional)
  return new SecurityDefinition(
    all.flatMap(({ schemes }) => schemes),
    isOptional,
  ) as unknown as Security<Told<Given<S[number]>, Given<S[number]>>>
}
