// An app as the `upgrade` listener of somebody else's node:http or node:https server, for its WebSocket routes.
//
// node:http hands the whole connection over before anybody knows what becomes of it. So a refusal is written by a response of its own,
// after which the connection ends; and since every request that names Upgrade comes here, one for an ordinary route is answered so too.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { http } from '../core/node-http.ts'
import type { Duplex } from 'node:stream'
import type { Socket } from 'node:net'
import { clientGone } from '../http/errors.ts'
import type { ProtocolSwitch, TakenConnection } from '../http/exchange.ts'
import { send } from './answer.ts'
import type { Log } from './context.ts'
import type { Embedded } from './embedded.ts'
import { HttpError } from './http-error.ts'
import { NodeExchange } from './node-exchange.ts'
import { problemAnswer } from './problem.ts'
import type { StartedApp } from './servable.ts'

/** @param head  what has arrived behind the request already */
export type NodeUpgradeHandler = (req: IncomingMessage, socket: Duplex, head: Buffer) => void

export function nodeUpgradeHandler(embedded: Embedded, log: () => Log): NodeUpgradeHandler {
  const serve = (started: StartedApp, exchange: NodeUpgrade) => {
    const failed = (error: unknown) => {
      log().error({ err: error, method: exchange.method, route: exchange.record.route }, 'request failed')
      if (exchange.answered) exchange.destroy(error)
      else void send(exchange, problemAnswer(error, 'problem'))
    }
    try {
      exchange.check()
      // Its bytes are not read as a body any more, and must not be read as anything else.
      if (exchange.body.kind !== 'none') throw new HttpError(400, 'A request that names Upgrade has no body')
    } catch (error) {
      return void send(exchange, problemAnswer(error, 'problem'))
    }
    try {
      const promise = started.handler(exchange)
      if (promise !== undefined) promise.then(undefined, failed)
    } catch (error) {
      failed(error)
    }
  }
  return (req, socket, head) => {
    // Between node:http, which has let go of it, and whoever gets it.
    socket.on('error', ignore)
    const exchange = new NodeUpgrade(req, socket, head, embedded)
    const { running } = embedded
    if (running) return serve(running, exchange)
    embedded.up().then(
      started => serve(started, exchange),
      (error: unknown) => {
        const answer = problemAnswer(error, 'problem')
        if (answer.status === 500) log().error({ err: error }, 'the app did not start')
        void send(exchange, answer)
      },
    )
  }
}

function ignore(): void {}

class NodeUpgrade extends NodeExchange implements ProtocolSwitch {
  readonly isDraining = false
  readonly #response: ServerResponse
  readonly #socket: Duplex
  readonly #head: Buffer

  constructor(req: IncomingMessage, socket: Duplex, head: Buffer, embedded: Embedded) {
    const response = new http.ServerResponse(req)
    response.shouldKeepAlive = false
    response.assignSocket(socket as Socket)
    response.once('finish', () => {
      response.detachSocket(socket as Socket)
      socket.end()
      // What still comes is thrown away, so that a reset does not overtake the answer.
      socket.resume()
    })
    super(req, response, embedded)
    this.#response = response
    this.#socket = socket
    this.#head = head
  }

  override get protocolSwitch(): ProtocolSwitch | undefined {
    return this.#response.req.httpVersion === '1.1' ? this : undefined
  }

  // It does anyway.
  endConnection(): void {}

  take(): TakenConnection | undefined {
    const socket = this.#socket
    if (this.answered) return undefined
    if (socket.destroyed || socket.readableEnded) {
      this.destroy(clientGone(undefined))
      return undefined
    }
    this.#response.detachSocket(socket as Socket)
    this.begin(101)
    this.over()
    return { socket, head: this.#head, abort: reason => this.abort(reason) }
  }
}
