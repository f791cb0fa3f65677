// Refuses requests for hosts that are not ours: whoever builds a link, a cache key or a redirect from the host must not be told any other.
//
//   import { App } from 'millrace'
//   import { trustedHosts } from 'millrace/middleware'
//
//   const app = new App({ title: 'Shop' })
//   app.use(trustedHosts({ hosts: ['shop.example', '*.shop.example'] }))
import { UsageError } from '../../core/error.ts'
import { Answer } from '../answer.ts'
import type { Middleware } from '../compose.ts'
import { HttpError } from '../http-error.ts'
import { hostOf, hostTest } from './host-pattern.ts'
import { urlOf } from './redirect-url.ts'

export interface TrustedHostsOptions {
  /** 'shop.example', or '*.shop.example' for every name below it (and not itself). Ports are not looked at. */
  hosts: readonly string[]
  /** What others get: 400, or 421, which tells a client of HTTP/2 to ask again over a connection of its own. Default 400. */
  status?: 400 | 421
  /** Sends who asks for 'shop.example' to 'www.shop.example', when only that is ours. Default false. */
  wwwRedirect?: boolean
}

/**
 * The host is the one that a trusted proxy tells, else of the target, else Host.
 *
 * @throws UsageError `TRUSTED_HOSTS_BAD_OPTIONS` for no host, and for what is no name of one
 */
export function trustedHosts(options: TrustedHostsOptions): Middleware {
  const { hosts, status = 400, wwwRedirect = false } = options
  const isTrusted = hostTest(hosts)
  if (typeof isTrusted !== 'function')
    throw bad(`${JSON.stringify(isTrusted.bad)} is not a host; write a name without scheme and port, or *.name`)
  if (hosts.length === 0) throw bad('hosts is empty: every request would be refused')
  if (status !== 400 && status !== 421) throw bad(`status is 400 or 421, not ${String(status)}`)
  return (context, next) => {
    const { authority } = context
    const host = hostOf(authority)
    if (isTrusted(host)) return next()
    if (wwwRedirect && isTrusted(`www.${host}`))
      return new Answer(307, null, ['location', urlOf(context, context.scheme, `www.${authority}`)])
    throw new HttpError(status, 'This host is not served here')
  }
}

function bad(message: string): UsageError {
  return new UsageError('TRUSTED_HOSTS_BAD_OPTIONS', `trustedHosts(): ${message}`)
}
