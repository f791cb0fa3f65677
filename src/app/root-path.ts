// What a proxy in front puts before every path. It may take it off again on the way here, or not: both are understood.
import { UsageError } from '../core/error.ts'
import type { Handler } from '../http/handler.ts'
import { BelowExchange } from './below.ts'

/** @throws UsageError `APP_BAD_PREFIX` */
export function checkRootPath(rootPath = ''): string {
  if (rootPath !== '' && !/^(?:\/[\w.~!$&'()*+,;=:@-]+)+$/.test(rootPath))
    throw new UsageError(
      'APP_BAD_PREFIX',
      `${JSON.stringify(rootPath)} is not a root path: it starts with '/', does not end with it, and has no names`,
    )
  return rootPath
}

/** Takes off what a proxy has left on, and notes what it has taken off. */
export function rooted(handler: Handler, rootPath: string): Handler {
  return exchange => {
    const { path } = exchange
    const hasIt = path.startsWith(rootPath) && (path.length === rootPath.length || path[rootPath.length] === '/')
    if (!hasIt) return handler(new BelowExchange(exchange, path, rootPath, rootPath))
    return handler(new BelowExchange(exchange, path.slice(rootPath.length) || '/', rootPath))
  }
}
