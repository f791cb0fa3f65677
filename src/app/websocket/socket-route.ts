// WebSocket routes: the types of one declaration, and the plain data that it leaves behind.
//
// Two-letter names as in route.ts. Further: IS and OS are `receives` and `sends`; K is `messages`.
import { milliseconds, type Duration } from '../../core/duration.ts'
import { UsageError } from '../../core/error.ts'
import type { Out, Schema } from '../../schema/schema.ts'
import type { Middleware } from '../compose.ts'
import type { RequestContext } from '../context.ts'
import type { DependencyDefinition, Errors, Reserved, Uses, Values } from '../dependency.ts'
import type { Names, Params, PathOk } from '../pattern.ts'
import { type AnySpec, EndpointDefinition, type Group, type LimitPolicy, type Path } from '../route.ts'
import type { HandshakeRules } from './handshake.ts'

/** What messages are: JSON text, text, bytes, or text and bytes as they come. */
export type MessageKind = 'json' | 'text' | 'binary' | 'mixed'

interface Kinds {
  json: unknown
  text: string
  binary: Uint8Array
  mixed: string | Uint8Array
}
/** What a message is to the handler: its schema's output; `never` where `null` declares that there are none. */
export type Message<S, K extends MessageKind> = S extends undefined ? Kinds[K] : S extends null ? never : Out<S>

/** How a WebSocket ended. */
export interface SocketClosing {
  /** RFC 6455 §7.4; 1005: the peer gave none; 1006: the connection broke. */
  readonly code: number
  readonly reason: string
}

/** One open WebSocket. R: what comes in; W: what goes out. Iterate it for its messages, in order, until it is closed. */
export interface Socket<R, W> extends AsyncIterable<R> {
  /**
   * Sends one message. Resolves at once while the client keeps up, and else when its connection has taken this message: await it, and a
   * slow client slows nobody but its own handler. Nobody has to handle a rejection.
   *
   * @throws SocketClosedError `APP_SOCKET_CLOSED` (rejected); ResponseError `SCHEMA_BAD_RESPONSE` (rejected, and logged) for what `sends`
   *   does not declare
   */
  send(message: W): Promise<void>
  /** The next message; undefined when there will be none. */
  receive(): Promise<R | undefined>
  /** Begins the close handshake: nothing is sent or received after it. @param code  1000 (default) or 3000 to 4999, or a standard one */
  close(code?: number, reason?: string): void
  /** From now on it gets what is published to the room, until it leaves or is closed. */
  join(room: string): void
  leave(room: string): void
  /**
   * Sends to every socket of this route that is in the room, this one included, in all workers of this server. Who is too slow to take it is
   * closed with 1013.
   */
  publish(room: string, message: W, options?: PublishOptions): void
  /** The subprotocol that was agreed on; '' for none. */
  readonly protocol: string
  /** Bytes handed over that its connection has not taken yet. */
  readonly bufferedBytes: number
  /** undefined while it is open. */
  readonly closed: SocketClosing | undefined
}

export interface PublishOptions {
  /** Does not get it. */
  readonly except?: Socket<any, any>
}

/** What a handler holds. */
export interface SocketContext<PO, QS, HS, CS, R, W> extends RequestContext {
  readonly params: PO
  readonly query: Out<QS>
  readonly headers: Out<HS>
  readonly cookies: Out<CS>
  readonly socket: Socket<R, W>
}

export interface SocketPolicy<K extends MessageKind> {
  /** Default json. */
  messages?: K
  /** What an invalid message leads to. close (default): 1007 for what is no JSON, 1008 for what `receives` refuses. tell: it is answered with a problem document. */
  onInvalid?: 'close' | 'tell'
  /** In the order of liking; a client that names none of them is refused. */
  subprotocols?: readonly string[]
  /** Which pages may connect: same (default) those of the host itself, any, or a list of origins as 'https://shop.example'. */
  origins?: 'same' | 'any' | readonly string[]
  /** Largest message, in bytes; beyond it 1009. Default 64 KiB. */
  maxMessageBytes?: number
  /** Bytes that may wait for a client that reads slowly; beyond it 1013. Default 1 MiB. */
  maxBufferedBytes?: number
  /** Messages of one client in a second; beyond it 1008. Default: no limit. */
  maxMessagesPerSecond?: number
  /** Time without a message of the client, then 1008. Default: none. */
  idleTimeout?: Duration
  /** A client that has been silent for so long is sent a ping; 0 turns it off. Default 20 s. */
  pingInterval?: Duration
  /** Time that it gets to be heard of again, then its connection is cut. Default 20 s. */
  pongTimeout?: Duration
  /** permessage-deflate for messages from so many bytes on (true: 1024), where the client offers it. Costs some 300 KiB a socket. Default false. */
  compress?: boolean | { readonly thresholdBytes: number }
  /** Time from the complete head to the 101; then 504. Default: the setting requestTimeout. */
  timeout?: Duration
  /** Sockets of this route open at once in one worker; beyond it, and beyond those that wait, 503. */
  limit?: LimitPolicy
  priority?: 'critical' | 'normal' | 'sheddable'
  /** Runs around the handshake. */
  use?: readonly Middleware[]
  summary?: string
  description?: string
  tags?: readonly string[]
  deprecated?: boolean
  operationId?: string
  /** Left out of the AsyncAPI document. */
  hidden?: boolean
}

export interface SocketSpec<PS, QS, HS, CS, U, IS, OS, K extends MessageKind> extends SocketPolicy<K> {
  params?: PS
  query?: QS
  headers?: HS
  cookies?: CS
  uses?: U
  /** One message of the client; null: it sends none. */
  receives?: IS
  /** One message of ours; null: we send none. */
  sends?: OS
}

/** What a client needs of a route. */
export interface SocketShape<PS, QS, HS, CS, IS, OS, K, E> {
  params: PS
  query: QS
  headers: HS
  cookies: CS
  receives: IS
  sends: OS
  messages: K
  errors: E
}

/** A declared WebSocket route, as a value. */
export interface SocketEndpoint<P, S, W> {
  readonly path: P
  readonly '~socket': S
  /** Sends to every socket of the route that is in the room, in all workers of this server: from any handler or task. */
  publish(room: string, message: W, options?: PublishOptions): void
}

/** Refuses, at compile time, a dependency named like a field of the context. */
export type SocketReserved = Reserved & { readonly socket?: 'is a name of the context' }

/** The one signature of ws(). */
export interface AddSocket<Base extends string, RV, X> {
  <P extends Path<Base>>(
    path: P,
    handler: (
      context: SocketContext<
        Params<Names<`${Base}${P}`>, undefined>,
        undefined,
        undefined,
        undefined,
        unknown,
        unknown
      > &
        RV,
    ) => unknown,
  ): SocketEndpoint<
    `${Base}${P}`,
    SocketShape<undefined, undefined, undefined, undefined, undefined, undefined, 'json', X>,
    unknown
  >
  <
    P extends Path<Base>,
    const IS extends Schema | null | undefined = undefined,
    const OS extends Schema | null | undefined = undefined,
    const K extends MessageKind = 'json',
    U extends Uses & SocketReserved = {},
    const PS extends Schema | undefined = undefined,
    const QS extends Schema | undefined = undefined,
    const HS extends Schema | undefined = undefined,
    const CS extends Schema | undefined = undefined,
    // Never given or inferred: names for what would otherwise be worked out several times.
    N extends string = Names<`${Base}${P}`>,
    PO = Params<N, PS>,
  >(
    path: P,
    spec: SocketSpec<PS, QS, HS, CS, U, IS, OS, K> & PathOk<N, keyof PO>,
    handler: (context: SocketContext<PO, QS, HS, CS, Message<IS, K>, Message<OS, K>> & Values<U> & RV) => unknown,
  ): SocketEndpoint<`${Base}${P}`, SocketShape<PS, QS, HS, CS, IS, OS, K, X | Errors<U>>, Message<OS, K>>
}

/** A spec with its types forgotten. */
export type AnySocketSpec = SocketSpec<
  Schema | undefined,
  Schema | undefined,
  Schema | undefined,
  Schema | undefined,
  Readonly<Record<string, DependencyDefinition>> | undefined,
  Schema | null | undefined,
  Schema | null | undefined,
  MessageKind
>

/** Durations in milliseconds; 0 and Infinity where something is off. */
export interface SocketRules extends HandshakeRules {
  readonly messages: MessageKind
  readonly receives: Schema | null | undefined
  readonly sends: Schema | null | undefined
  readonly onInvalid: 'close' | 'tell'
  readonly maxMessageBytes: number
  readonly maxBufferedBytes: number
  readonly maxMessagesPerSecond: number
  readonly idleMs: number
  readonly pingMs: number
  readonly pongMs: number
  readonly compressFrom: number
}

/** Reaches the sockets of one mounted route in this process, and through the host those in its siblings. */
export interface Publisher {
  publish(room: string, message: unknown, options?: PublishOptions): void
}

/** One declared WebSocket route as data: to the handshake an endpoint like any other, a GET. */
export class SocketDefinition extends EndpointDefinition {
  override readonly verb: string = 'WS'
  readonly rules: SocketRules
  /** Where it is served now: an app that has started, more than one in tests. */
  readonly publishers = new Set<Publisher>()

  /** @throws UsageError `APP_SOCKET_SPEC` */
  constructor(path: string, spec: AnySocketSpec, handler: (context: any) => unknown, router: Group) {
    super('GET', path, handshakeOf(spec), handler, router)
    this.rules = rulesOf(spec, `WS ${path}`)
  }

  publish(room: string, message: unknown, options?: PublishOptions): void {
    for (const publisher of this.publishers) publisher.publish(room, message, options)
  }
}

/** What the stages before the switch read: the same fields, under the same names, as those of any route. */
function handshakeOf(spec: AnySocketSpec): AnySpec {
  const { params, query, headers, cookies, uses, use, timeout, limit, priority } = spec
  const { summary, description, tags, deprecated, operationId, hidden } = spec
  const all = { params, query, headers, cookies, uses, use, timeout, limit, priority }
  const told = { summary, description, tags, deprecated, operationId, hidden }
  return Object.fromEntries(Object.entries({ ...all, ...told }).filter(([, value]) => value !== undefined)) as AnySpec
}

// Names of our own, so that a misspelt one is told.
export const SOCKET_KEYS: ReadonlySet<string> = new Set(
  Object.keys({
    params: true,
    query: true,
    headers: true,
    cookies: true,
    uses: true,
    receives: true,
    sends: true,
    messages: true,
    onInvalid: true,
    subprotocols: true,
    origins: true,
    maxMessageBytes: true,
    maxBufferedBytes: true,
    maxMessagesPerSecond: true,
    idleTimeout: true,
    pingInterval: true,
    pongTimeout: true,
    compress: true,
    timeout: true,
    limit: true,
    priority: true,
    use: true,
    summary: true,
    description: true,
    tags: true,
    deprecated: true,
    operationId: true,
    hidden: true,
  } satisfies Record<keyof AnySocketSpec, true>),
)

// 64 KiB: a message of a chat or a game is a hundredth of it, and 10,000 clients that stop in the middle of one cost 640 MiB and no more.
const MAX_MESSAGE_BYTES = 65_536
// 1 MiB: some seconds of a busy feed; what is behind by more will not catch up.
const MAX_BUFFERED_BYTES = 1_048_576
// 20 s each: uvicorn's ws_ping_interval and ws_ping_timeout; balancers cut silent connections after 60.
const PING_MS = 20_000
const PONG_MS = 20_000
// What ws itself does by default.
const COMPRESS_FROM = 1024

function rulesOf(spec: AnySocketSpec, where: string): SocketRules {
  const bad = (what: string) => new UsageError('APP_SOCKET_SPEC', `${where}: ${what}`)
  const number = (name: 'maxMessageBytes' | 'maxBufferedBytes' | 'maxMessagesPerSecond', otherwise: number) => {
    const value = spec[name] ?? otherwise
    if (!(value >= 1)) throw bad(`${name} is a number from 1, not ${String(value)}`)
    return value
  }
  const time = (name: 'idleTimeout' | 'pingInterval' | 'pongTimeout', otherwise: number) =>
    spec[name] === undefined ? otherwise : milliseconds(spec[name], `${where} ${name}`)
  const { messages = 'json', onInvalid = 'close', origins = 'same', subprotocols = [], compress = false } = spec
  if (!['json', 'text', 'binary', 'mixed'].includes(messages))
    throw bad(`messages is json, text, binary or mixed, not ${String(messages)}`)
  if (!['close', 'tell'].includes(onInvalid)) throw bad(`onInvalid is close or tell, not ${String(onInvalid)}`)
  if (onInvalid === 'tell' && messages !== 'json') throw bad('onInvalid: tell answers in JSON, and messages are none')
  for (const name of ['receives', 'sends'] as const)
    if (spec[name] && (messages === 'binary' || messages === 'mixed'))
      throw bad(`${name} has a schema, and messages: '${messages}' are bytes; leave it out`)
  for (const name of subprotocols)
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)) throw bad(`${JSON.stringify(name)} is no name of a subprotocol`)
  return {
    messages,
    receives: spec.receives,
    sends: spec.sends,
    onInvalid,
    subprotocols,
    origins: typeof origins === 'string' ? origins : origins.map(origin => checkedOrigin(origin, bad)),
    maxMessageBytes: number('maxMessageBytes', MAX_MESSAGE_BYTES),
    maxBufferedBytes: number('maxBufferedBytes', MAX_BUFFERED_BYTES),
    maxMessagesPerSecond: number('maxMessagesPerSecond', Infinity),
    idleMs: time('idleTimeout', 0),
    pingMs: time('pingInterval', PING_MS),
    pongMs: time('pongTimeout', PONG_MS),
    compressFrom: compress === false ? Infinity : compress === true ? COMPRESS_FROM : compress.thresholdBytes,
  }
}

/** As browsers send it: scheme and host in lower case, without a path, without the usual port. */
function checkedOrigin(origin: string, bad: (what: string) => UsageError): string {
  if (!URL.canParse(origin) || new URL(origin).origin !== origin.toLowerCase())
    throw bad(`${JSON.stringify(origin)} is no origin; write it as 'https://shop.example'`)
  return origin.toLowerCase()
}
