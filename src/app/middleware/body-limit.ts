// Bounds request bodies of all routes in an app or a router, where the setting maxBody is not what they need.
//
//   import { Router } from 'millrace'
//   import { bodyLimit } from 'millrace/middleware'
//
//   const imports = new Router({ prefix: '/imports', use: [bodyLimit(64 * 2 ** 20)] })
import { UsageError } from '../../core/error.ts'
import { adding } from '../additions.ts'
import type { Middleware } from '../compose.ts'

/**
 * The most that a request body may have, in bytes; over it 413: before the handler runs where the length is declared, else as soon as it is
 * passed. A route's own `maxBodyBytes` wins, then the innermost `bodyLimit`. Compiled into the routes: it costs a request nothing.
 *
 * @throws UsageError `BODY_LIMIT_BAD_OPTIONS`
 */
export function bodyLimit(maxBodyBytes: number): Middleware {
  if (!Number.isSafeInteger(maxBodyBytes) || maxBodyBytes < 0)
    throw new UsageError(
      'BODY_LIMIT_BAD_OPTIONS',
      `bodyLimit() takes a whole number of bytes, not ${String(maxBodyBytes)}`,
    )
  const passOn: Middleware = (_context, next) => next()
  return adding(passOn, method => ({ maxBodyBytes, isInert: true, ...(READS.has(method) ? {} : { statuses: [413] }) }))
}

const READS = new Set(['GET', 'HEAD', 'OPTIONS'])
