// Scopes: what a route wants a token to be good for, told to the dependency that judges the token.
import { UsageError } from '../../core/error.ts'
import { type Dependency, DependencyDefinition, type Scope } from '../dependency.ts'
import { HttpError } from '../http-error.ts'

/**
 * The same dependency, with scopes required of it: in the `uses` of a route, a router, an app or another dependency. Every `security` below
 * it gets them as `scopes`, merged with what others require in the same route; the dependency still runs once a request.
 *
 * Checking them is up to the dependency: see `checkScopes`.
 *
 * @throws UsageError `APP_UNKNOWN_SCOPE`, when the app starts, for a scope that its OAuth 2 scheme does not list
 * @example
 * app.get('/orders', { uses: { user: requireScopes(currentUser, 'orders:read') } }, ({ user }) => ordersOf(user))
 */
export function requireScopes<T, K extends Scope, E>(
  dependency: Dependency<T, K, E>,
  ...scopes: readonly string[]
): Dependency<T, K, E> {
  const definition = dependency as unknown as DependencyDefinition
  if (!(definition instanceof DependencyDefinition))
    throw new UsageError('APP_NOT_A_DEPENDENCY', 'requireScopes() takes what dependency(...) made, then the scopes')
  return DependencyDefinition.requiring(definition, scopes) as unknown as Dependency<T, K, E>
}

/**
 * @param granted  what the token is good for: a list, or OAuth's way of writing one, parted by spaces
 * @param required  the `scopes` of the context
 * @throws HttpError 403 when one is missing; which are needed is told in WWW-Authenticate
 */
export function checkScopes(granted: string | readonly string[] | undefined, required: readonly string[]): void {
  const all = new Set(typeof granted === 'string' ? scopesOf(granted) : granted)
  if (!required.every(scope => all.has(scope))) throw new HttpError(403, 'Not enough permissions')
}

/** 'items  me' as ['items', 'me']; none for undefined. */
export function scopesOf(text: string | undefined): readonly string[] {
  return text === undefined ? [] : text.split(' ').filter(scope => scope !== '')
}
