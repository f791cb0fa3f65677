// A client of an app's endpoints, typed by them and made of nothing else: no code is generated, and none of the server is imported.
import type { Calls, Formats, RawCall } from '../app/call.ts'
import { methodCalls } from '../app/method-calls.ts'
import { Caller, type ClientCallOptions, type ClientOptions } from './caller.ts'

export interface Client<R, F extends keyof Formats = 'problem'> extends Calls<R, F, ClientCallOptions> {
  /**
   * The platform's Response to a call, whatever its status, with its body unread: a file to store as it comes, a header to look at first.
   *
   * @example const { body } = await shop.fetch('GET', '/reports/{name}', { params: { name: 'november.pdf' } })
   */
  readonly fetch: RawCall<R, ClientCallOptions>
}

/**
 * Calls by method and path over fetch, in browsers and on servers.
 *
 * @typeParam R  a module of endpoints, or an object of them or of further modules: `typeof import('./routes.ts')`
 * @typeParam F  'fastapi' where the app has errorFormat 'fastapi'
 * @param url  origin, and the prefix that endpoints do not know of themselves: 'https://shop.example', 'https://shop.example/v1', '/api'
 *
 * @example
 * import type * as routes from './routes.ts'
 * const shop = client<typeof routes>('https://shop.example')
 * const answer = await shop.get('/products/{id}', { params: { id: 7 } })
 * if (answer.status === 200) console.log(answer.body.name)
 *
 * A call resolves to what the route, its router and its dependencies declare, or to Millrace's own problems; the rest is thrown.
 *
 * @throws UsageError `CLIENT_BAD_URL`, `CLIENT_BAD_OPTIONS`
 */
export function client<R, F extends keyof Formats = 'problem'>(url: string, of: ClientOptions = {}): Client<R, F> {
  const caller = new Caller(url, of)
  return {
    ...methodCalls<object>((method, path, input) => caller.call(method, path, input)),
    fetch: (method: string, path: string, input?: object) => caller.fetch(method, path, input),
  } as unknown as Client<R, F>
}
