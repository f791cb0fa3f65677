// A WebSocket route ready to run: the handshake through the same stages as any request, then the switch, the handler, and its end.
//
//   handshake     may this become a WebSocket?           > 400, 403, 426, 503
//   credentials   those that a dependency's `security` asks for  > 401
//   permit        one of the route's `limit`, kept until the socket is gone
//   guards        dependencies that say who may come     > 401, 403
//   input         path, query, headers, cookies          > 422
//   dependencies  made before the switch: they may refuse  > 401, 403, ...
//   switch        101; from here on there are close codes, and no statuses
//   handler       ends: 1000. Throws: 1011, logged; fail(4xx): 1008
//   clean-up      of dependencies in reverse, when the handler has ended
import { ValidationError } from '../../schema/errors.ts'
import type { Exchange } from '../../http/exchange.ts'
import { encodeFields } from '../../http/prepared-head.ts'
import { type Answer, SwitchAnswer } from '../answer.ts'
import { CompiledRoute, type RouteSurroundings } from '../compiled-route.ts'
import type { Log } from '../context.ts'
import { CleanUp } from '../dependencies.ts'
import { HttpError } from '../http-error.ts'
import type { LiveStream, LiveStreams } from '../live-streams.ts'
import { type ErrorFormat, problemAnswer } from '../problem.ts'
import type { HandlerView, RequestState } from '../request-state.ts'
import type { MountedRoute } from '../route.ts'
import { checkHandshake } from './handshake.ts'
import { type InvalidMessage, MessageCodec } from './message-codec.ts'
import { MessageSocket, SocketClosedError, type SocketRoute } from './message-socket.ts'
import { wiredClass } from './ws-events.ts'
import { Rooms } from './rooms.ts'
import type { PublishOptions, SocketDefinition, SocketRules } from './socket-route.ts'
import { loadWs, type WsRequest, type WsServer } from './ws-library.ts'

// 5 s: a peer that is there answers a close frame in a round trip.
const CLOSE_TIMEOUT_MS = 5000

export class CompiledSocket extends CompiledRoute implements SocketRoute {
  readonly rules: SocketRules
  readonly codec: MessageCodec
  readonly rooms: Rooms
  readonly #definition: SocketDefinition
  readonly #format: ErrorFormat
  #streams: LiveStreams | undefined
  #server: WsServer | undefined
  #log: Log | undefined

  constructor(route: MountedRoute & { readonly endpoint: SocketDefinition }, of: RouteSurroundings) {
    super(route, of)
    this.#definition = route.endpoint
    this.#format = of.format
    this.rules = route.endpoint.rules
    this.codec = new MessageCodec(this.rules, of.format, route.name)
    this.rooms = new Rooms(route.path, this.codec)
  }

  /** Before the first request. */
  async open(streams: LiveStreams, log: Log): Promise<void> {
    const { WebSocket, WebSocketServer } = await loadWs()
    const { maxMessageBytes, compressFrom } = this.rules
    this.#streams = streams
    this.#log = log
    const server = new WebSocketServer({
      noServer: true,
      WebSocket: wiredClass(WebSocket),
      clientTracking: false,
      maxPayload: maxMessageBytes,
      closeTimeout: CLOSE_TIMEOUT_MS,
      perMessageDeflate: compressFrom === Infinity ? false : { threshold: compressFrom },
      handleProtocols: (_offered, request) => (request as SwitchRequest).protocol || false,
    })
    server.on('headers', (lines, request) => void lines.push(...(request as SwitchRequest).lines))
    this.#server = server
    this.rooms.open()
    this.#definition.publishers.add(this.rooms)
  }

  /** After the last request. */
  close(): void {
    this.rooms.close()
    this.#definition.publishers.delete(this.rooms)
  }

  /** Everything before the switch. @throws what refuses the client */
  async shakeHands(state: RequestState, values: readonly string[]): Promise<Answer> {
    const { exchange } = state
    const { protocol } = checkHandshake(exchange, this.rules)
    const { limiter, guard, plan, workerValues } = this
    const shown = guard?.admit(exchange)
    if (limiter && !limiter.tryAcquire()) {
      state.isQueued = true
      await limiter.acquire(this.priority, state.signal)
      state.isQueued = false
    }
    const cleanUp = new CleanUp()
    try {
      const made: unknown[] = []
      if (guard && shown) {
        const early = await guard.inputs.read(exchange, values)
        await plan.make(plan.guards, made, state, workerValues, early.steps, cleanUp, shown)
      }
      const read = await this.inputs.read(exchange, values)
      await plan.make(plan.others, made, state, workerValues, read.steps, cleanUp)
      const view = this.view(exchange, state.log, read.own, state)
      plan.give(view, made)
      return new SocketAnswer(this, { view, state, cleanUp, protocol })
    } catch (error) {
      const failure = await cleanUp.fail(error)
      this.release()
      throw guard && shown ? guard.told(failure, shown) : failure
    }
  }

  /** @returns undefined when the client has gone meanwhile */
  upgrade(exchange: Exchange, protocol: string, lines: readonly string[]): MessageSocket | undefined {
    const { fields } = exchange
    // Before the switch: what was read for it goes with it.
    const headers = Object.fromEntries(HANDSHAKE_FIELDS.map(name => [name, fields.get(name)]))
    const taken = exchange.protocolSwitch?.take()
    if (taken === undefined) return undefined
    const { socket, head } = taken
    const request: SwitchRequest = {
      method: 'GET',
      url: exchange.target,
      httpVersion: '1.1',
      headers,
      socket,
      protocol,
      lines,
    }
    let opened: MessageSocket | undefined
    // At once: everything that it could object to has been looked at.
    this.#server!.handleUpgrade(request, socket, head, ws => (opened = new MessageSocket(ws, this, taken)))
    return opened
  }

  /** The permit of a socket that is gone. */
  release(): void {
    this.limiter?.release()
  }

  /** A stop of the app waits for it, and tells it to leave. */
  began(stream: LiveStream): void {
    this.#streams!.add(stream)
  }

  ended(stream: LiveStream): void {
    this.#streams!.delete(stream)
  }

  // What its sockets ask of it

  join(socket: MessageSocket, room: string): void {
    this.rooms.join(socket, room)
  }

  leave(socket: MessageSocket, room: string): void {
    this.rooms.leave(socket, room)
  }

  publish(room: string, message: unknown, options?: PublishOptions): void {
    this.rooms.publish(room, message, options)
  }

  tell({ reason, issues }: InvalidMessage): string {
    const error = issues ? new ValidationError(issues) : new HttpError(400, reason)
    return problemAnswer(error, this.#format).body as string
  }

  misfit(error: unknown): void {
    logged.add(error as object)
    this.#log?.error({ err: error, route: this.pattern }, 'message refused')
  }
}

/** Errors that have their line in the log; who rethrows one does not give it another. */
const logged = new WeakSet<object>()

interface SwitchRequest extends WsRequest {
  readonly protocol: string
  /** Of the 101, beside its own. */
  readonly lines: readonly string[]
}

/** What the library looks at. */
const HANDSHAKE_FIELDS = [
  'upgrade',
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-protocol',
  'sec-websocket-extensions',
]

interface Ready {
  readonly view: HandlerView
  readonly state: RequestState
  readonly cleanUp: CleanUp
  readonly protocol: string
}

/** Yes: middleware may still look at it, add fields, or answer otherwise. */
class SocketAnswer extends SwitchAnswer {
  readonly #route: CompiledSocket
  #ready: Ready | undefined

  constructor(route: CompiledSocket, ready: Ready) {
    super()
    this.#route = route
    this.#ready = ready
  }

  switch(exchange: Exchange): Promise<void> {
    // Whatever middleware has made of it: nothing has been written yet.
    const lines = encodeFields(this.headers.lines).split('\r\n').slice(0, -1)
    const ready = this.#ready
    this.#ready = undefined
    if (ready === undefined) return Promise.resolve()
    const socket = this.#route.upgrade(exchange, ready.protocol, lines)
    // From here on nothing of it can be overdue.
    ready.state.overdue = undefined
    return socket === undefined
      ? cleanedUp(this.#route, ready, exchange.signal.reason)
      : new OpenSocket(this.#route, socket, ready, this).run(ready.view as SocketView)
  }

  override abandon(): void {
    const ready = this.#ready
    this.#ready = undefined
    if (ready === undefined) return
    void cleanedUp(this.#route, ready, new HttpError(503, 'The handshake was answered otherwise'))
  }
}

/**
 * A socket in the hands of its handler, as one of the app's streams.
 *
 * It waits by `then` and not as an async function: thousands of them are idle, and what such a function keeps is 300 bytes more (bench ws).
 */
class OpenSocket implements LiveStream {
  readonly #route: CompiledSocket
  readonly #socket: MessageSocket
  readonly #state: RequestState
  readonly #cleanUp: CleanUp
  readonly #answer: Answer
  readonly #startedMs = performance.now()

  constructor(route: CompiledSocket, socket: MessageSocket, { state, cleanUp }: Ready, answer: Answer) {
    this.#route = route
    this.#socket = socket
    this.#state = state
    this.#cleanUp = cleanUp
    this.#answer = answer
  }

  /** Never rejects. */
  run(view: SocketView): Promise<void> {
    this.#route.began(this)
    view.socket = this.#socket
    let ran: unknown
    try {
      ran = this.#route.handler(view)
    } catch (error) {
      return this.#failed(error)
    }
    return Promise.resolve(ran).then(
      () => this.#finished(),
      (error: unknown) => this.#failed(error),
    )
  }

  tick(): void {
    this.#socket.tick()
  }

  leave(): void {
    this.#socket.hangUp()
  }

  async #finished(): Promise<void> {
    try {
      await this.#cleanUp.finish()
    } catch (error) {
      return this.#failed(error)
    }
    if (!this.#socket.closed) this.#socket.close(1000)
    return this.#gone()
  }

  async #failed(error: unknown): Promise<void> {
    const { log } = this.#state
    const failure = await this.#cleanUp.fail(error)
    this.#answer.error = failure
    const { code, reason, isOurs } = closingOf(failure)
    if (isOurs && failure !== this.#state.signal.reason && !logged.has(failure as object))
      log.error({ route: this.#route.pattern, err: failure }, 'WebSocket handler failed')
    if (!this.#socket.closed) this.#socket.close(code, reason)
    return this.#gone()
  }

  async #gone(): Promise<void> {
    await this.#socket.gone()
    this.#route.release()
    const { code } = this.#socket.closed!
    const ms = Math.round(performance.now() - this.#startedMs)
    this.#state.log.debug({ route: this.#route.pattern, code, ms }, 'WebSocket closed')
    this.#route.ended(this)
  }
}

/** Dependencies that were made for a socket which never was. A stop of the app waits for their end. */
async function cleanedUp(route: CompiledSocket, { cleanUp }: Ready, reason: unknown): Promise<void> {
  const stream: LiveStream = { tick() {}, leave() {} }
  route.began(stream)
  await cleanUp.fail(reason)
  route.release()
  route.ended(stream)
}

interface SocketView extends HandlerView {
  socket: MessageSocket
}

/** What a handler threw, as a close code: it decided, or it failed. */
function closingOf(error: unknown): { code: number; reason: string; isOurs: boolean } {
  if (error instanceof SocketClosedError) return { code: 1000, reason: '', isOurs: false }
  if (error instanceof HttpError && error.status < 500) return { code: 1008, reason: error.detail ?? '', isOurs: false }
  return { code: 1011, reason: 'the server failed', isOurs: true }
}
