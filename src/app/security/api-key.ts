// A key under a name that the API chooses: in a header, in the query, or in a cookie.
import { UsageError } from '../../core/error.ts'
import type { Exchange } from '../../http/exchange.ts'
import { parseCookies } from '../cookie.ts'
import { parseQuery } from '../query-string.ts'
import { MALFORMED, realmOnly, type RequiredScopes, type SchemeOptions, secured, type Security } from './scheme.ts'

export interface ApiKeyOptions {
  /** A key in a query ends up in logs and histories: a header is better where clients can send one. */
  readonly in: 'header' | 'query' | 'cookie'
  /** Of the header, the parameter or the cookie: 'X-API-Key'. */
  readonly name: string
  /** Its key in components.securitySchemes. Default APIKeyHeader, APIKeyQuery or APIKeyCookie, as in FastAPI. */
  readonly schemeName?: string
  readonly description?: string
  readonly realm?: string
}

/**
 * A key by name. An empty one counts as none. Compare it with `timingSafeEqual`.
 *
 * @throws UsageError `APP_SECURITY` for a name that no header or cookie can have
 */
export function apiKey(of: ApiKeyOptions): Security<{ readonly key: string } & RequiredScopes> {
  const { in: place, name, schemeName, description, realm } = of
  const read = READERS[place]?.(name)
  if (!read) throw new UsageError('APP_SECURITY', `apiKey(): in is ${String(place)}; it may be header, query or cookie`)
  if (name === '' || (place !== 'query' && !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)))
    throw new UsageError('APP_SECURITY', `apiKey(): ${JSON.stringify(name)} is no name of a ${place}`)
  const options: SchemeOptions = {
    ...(schemeName === undefined ? {} : { name: schemeName }),
    ...(description === undefined ? {} : { description }),
  }
  return secured(
    {
      document: { type: 'apiKey', in: place, name },
      gives: ['key'],
      scopes: undefined,
      // No scheme of that name is registered; FastAPI sends the same, and a 401 must say something (RFC 9110 §15.5.2).
      challenge: { scheme: 'APIKey', parameters: realmOnly(realm), tellsErrors: false },
      read: exchange => {
        const key = read(exchange)
        if (key === undefined || key === '') return undefined
        return typeof key === 'string' ? { key } : MALFORMED
      },
    },
    options,
    DEFAULT_NAMES[place],
  )
}

type Read = (exchange: Exchange) => string | readonly string[] | undefined

const READERS: Readonly<Record<ApiKeyOptions['in'], (name: string) => Read>> = {
  header: name => {
    const lower = name.toLowerCase()
    return exchange => {
      const lines = exchange.fields.all(lower)
      return lines.length > 1 ? lines : lines[0]
    }
  },
  query: name => exchange => parseQuery(exchange.search, [name])[name],
  cookie: name => exchange => parseCookies(exchange.fields.get('cookie') ?? '')[name],
}

const DEFAULT_NAMES = { header: 'APIKeyHeader', query: 'APIKeyQuery', cookie: 'APIKeyCookie' } as const
