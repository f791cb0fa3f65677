// Mounts: everything below a prefix is somebody else's to answer. A fetch handler, a listener of node:http or Express, or another app.
import { UsageError } from '../core/error.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Handler } from '../http/handler.ts'
import type { Answer } from './answer.ts'
import { BelowExchange, CapturedExchange } from './below.ts'
import { HandlerView } from './request-state.ts'
import { NodeMount, type NodeListener } from './node-mount.ts'
import { type AnySpec, EndpointDefinition, type Group, type Policy } from './route.ts'
import { isServable, type Servable } from './servable.ts'
import type { Uses } from './dependency.ts'
import { encodePath } from './url.ts'
import { webRequest } from './web-request.ts'

export type FetchHandler = (request: Request) => Response | Promise<Response>

/** What can be mounted: another app, what answers a Request, or (under `node`) what answers `(req, res)`. */
export type Mountable = Servable | FetchHandler | { readonly fetch: FetchHandler } | { readonly node: NodeListener }

/** A mount may be guarded and bounded like a route. */
export interface MountOptions extends Pick<Policy, 'timeout' | 'limit' | 'priority' | 'maxBodyBytes' | 'use'> {
  /** Resolved before it is asked. */
  uses?: Uses
}

/** A name that no prefix of an author has. */
const REST = 'path-in-mount'

/** Any method: the key of a mount in a route table. */
export const ANY_METHOD = '*'

/** A route for everything below a prefix. */
export class MountDefinition extends EndpointDefinition {
  /** The app that answers, when it is one of ours: it is started and stopped with the one around it. */
  readonly app: Servable | undefined

  /** @param path  '' for the root */
  constructor(path: string, what: Mountable, of: MountOptions, router: Group) {
    const spec = { ...of, hidden: true } as unknown as AnySpec
    const app = isServable(what) ? what : undefined
    const answer = app ? notStarted : answering(what as Exclude<Mountable, Servable>, path)
    super(ANY_METHOD as never, `${path}/{${REST}*}`, spec, answer, router)
    this.app = app
  }

  /** The same for the prefix with its slash, where nothing is left for a name. */
  get root(): EndpointDefinition {
    return new MountRoot(this)
  }
}

export class MountRoot extends EndpointDefinition {
  readonly mount: MountDefinition

  constructor(mount: MountDefinition) {
    super(mount.method, mount.path.slice(0, mount.path.lastIndexOf('/') + 1), mount.spec, mount.handler, mount.router)
    this.mount = mount
  }
}

export function mountOf(endpoint: EndpointDefinition): MountDefinition | undefined {
  return endpoint instanceof MountDefinition ? endpoint : endpoint instanceof MountRoot ? endpoint.mount : undefined
}

/** @throws UsageError `APP_NOT_MOUNTABLE` */
export function checkMountable(what: unknown, name: string): void {
  if (isServable(what)) return
  if (typeof what === 'function') {
    if (what.length < 2) return
    throw new UsageError(
      'APP_NOT_MOUNTABLE',
      `${name}: this function takes ${what.length} arguments; for a listener of node:http or Express write { node: listener }, for one that answers a Request { fetch: handler }`,
    )
  }
  const { fetch, node } = (what ?? {}) as { fetch?: unknown; node?: unknown }
  if (typeof fetch === 'function' || typeof node === 'function') return
  throw new UsageError(
    'APP_NOT_MOUNTABLE',
    `${name}: it takes an App, a function from Request to Response, { fetch } or { node }`,
  )
}

/** Straight to the mounted app: nothing stands around the mount. */
export function passage(handler: Handler): (exchange: Exchange, rest: string) => void | Promise<void> {
  return (exchange, rest) => handler(new BelowExchange(exchange, `/${rest}`, before(exchange, rest)))
}

/** The mounted app's answer as a value. */
export function capture(handler: Handler): (view: HandlerView) => Promise<Answer> {
  return view => {
    const { exchange } = HandlerView.state(view)
    const rest = restOf(view)
    return new Promise<Answer>((resolve, reject) => {
      const inner = new CapturedExchange(exchange, `/${rest}`, before(exchange, rest), { resolve, reject })
      const promise = handler(inner)
      if (promise !== undefined) promise.then(undefined, reject)
    })
  }
}

/** What of a path stands before `rest`, without the slash between them. */
function before({ path }: Exchange, rest: string): string {
  return path.slice(0, path.length - rest.length - 1)
}

function restOf(view: HandlerView): string {
  return (view.params as Readonly<Record<string, string>>)[REST] ?? ''
}

function answering(what: Exclude<Mountable, Servable>, name: string): (view: HandlerView) => unknown {
  if ('node' in what) {
    const mount = new NodeMount(what.node, name)
    return view => {
      const { exchange } = HandlerView.state(view)
      const rest = restOf(view)
      return mount.answer(exchange, `/${encodePath(rest)}`, encodePath(before(exchange, rest)))
    }
  }
  const handler = typeof what === 'function' ? what : (request: Request) => what.fetch(request)
  return view => {
    const { exchange, signal } = HandlerView.state(view)
    return handler(webRequest(exchange, signal, `/${encodePath(restOf(view))}`))
  }
}

function notStarted(): never {
  throw new UsageError('APP_NOT_STARTED', 'a mounted app was asked before it was started')
}
