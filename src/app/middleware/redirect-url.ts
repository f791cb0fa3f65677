// The URL that a request asked for, on another scheme or host. Pure.
import type { MiddlewareContext } from '../compose.ts'

/** The path is encoded anew, because the one at hand is decoded. */
export function urlOf({ path, search }: MiddlewareContext, scheme: 'http' | 'https', authority: string): string {
  const encoded = encodeURI(path).replaceAll('?', '%3F').replaceAll('#', '%23')
  return `${scheme}://${authority}${path === '*' ? '/' : encoded}${search === '' ? '' : `?${search}`}`
}
