// Sends who asks over http to the same place over https.
//
//   import { App } from 'millrace'
//   import { httpsRedirect } from 'millrace/middleware'
//
//   const app = new App({ title: 'Shop' })
//   app.use(httpsRedirect())
//
// Behind a proxy that ends TLS, name it in the setting trustedProxies: the scheme that it tells is believed, and nobody else's. The
// redirect goes to the host that was asked for, so put trustedHosts() around it.
import { UsageError } from '../../core/error.ts'
import { Answer } from '../answer.ts'
import type { Middleware, MiddlewareContext } from '../compose.ts'
import { HttpError } from '../http-error.ts'
import { hostOf } from './host-pattern.ts'
import { urlOf } from './redirect-url.ts'

export interface HttpsRedirectOptions {
  /** 307, or 308 for one that browsers keep. Both keep method and body. Default 307. */
  status?: 307 | 308
  /** Where https is served. Default 443, which a URL leaves out. */
  port?: number
  /** Requests that stay on http, such as the probes of a balancer, or /.well-known/acme-challenge/. */
  except?: (context: MiddlewareContext) => boolean
}

/**
 * A request without a host, which only HTTP/1.0 can send, is a 400: there is nowhere to send it.
 *
 * @throws UsageError `HTTPS_REDIRECT_BAD_OPTIONS`
 */
export function httpsRedirect(options: HttpsRedirectOptions = {}): Middleware {
  const { status = 307, port = 443, except } = options
  if (status !== 307 && status !== 308) throw bad(`status is 307 or 308, not ${String(status)}`)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw bad(`port is one of 1 to 65535, not ${String(port)}`)
  return (context, next) => {
    if (context.scheme === 'https' || except?.(context)) return next()
    const host = hostOf(context.authority)
    if (host === '') throw new HttpError(400, 'Say which host is meant')
    return new Answer(status, null, ['location', urlOf(context, 'https', port === 443 ? host : `${host}:${port}`)])
  }
}

function bad(message: string): UsageError {
  return new UsageError('HTTPS_REDIRECT_BAD_OPTIONS', `httpsRedirect(): ${message}`)
}
