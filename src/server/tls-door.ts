// The TLS handshake between the entrance and the engine: who passes has chosen a protocol, who does not is closed and counted.
//
// A tls.Server that does not listen: connections are handed to it by its `connection` event, as its documentation allows. So the socket
// is accepted, counted and, behind a proxy, named before the first byte of TLS is read.
import type { Socket } from 'node:net'
import tls from 'node:tls'
import type { Peer } from '../http/exchange.ts'
import type { Certificate } from './certificate.ts'

export interface TlsDoorOptions {
  readonly certificate: Certificate
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  /** HTTP/2 is offered, and preferred. */
  readonly http2: boolean
  /** A client that has no certificate of `certificate.ca` is refused; otherwise served as nobody in particular. */
  readonly requiresCertificate: boolean
  /** 48 bytes, the same in all workers: a session begun with one is resumed with another. */
  readonly ticketKeys: Buffer
  readonly handshakeTimeoutMs: number
  /** A connection that has not come through. */
  readonly failed: () => void
}

/** Takes a connection whose handshake is done. */
export type Secured = (socket: tls.TLSSocket, peer: Peer | undefined) => void

interface Waiting {
  readonly peer: Peer | undefined
  readonly timer: NodeJS.Timeout
}

// Sent in the clear: whoever asks so does not speak TLS.
const PLAIN_BODY = JSON.stringify({
  type: 'about:blank',
  title: 'Bad Request',
  status: 400,
  detail: 'This port speaks HTTPS.',
})
const PLAIN_ANSWER = `HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\nConnection: close\r\nContent-Length: ${PLAIN_BODY.length}\r\n\r\n${PLAIN_BODY}`

export class TlsDoor {
  readonly #options: TlsDoorOptions
  readonly #server: tls.Server
  readonly #waiting = new Map<Socket, Waiting>()
  #emptied: (() => void)[] = []

  constructor(options: TlsDoorOptions, secured: Secured) {
    this.#options = options
    this.#server = tls.createServer({
      ...contextOf(options, options.certificate),
      ALPNProtocols: options.http2 ? ['h2', 'http/1.1'] : ['http/1.1'],
      requestCert: options.certificate.ca !== undefined,
      rejectUnauthorized: options.requiresCertificate,
    })
    this.#server.on('secureConnection', socket => {
      const found = this.#take(rawOf(socket))
      // Without the socket that it came by, nobody knows who it is.
      if (found === undefined) socket.destroy()
      else secured(socket, found.peer)
    })
    this.#server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      const raw = rawOf(socket)
      if (error.code === 'ERR_SSL_HTTP_REQUEST' && raw !== undefined && !raw.destroyed) raw.end(PLAIN_ANSWER)
    })
  }

  /** @param socket  nothing of it is being read; what has been is put back */
  enter(socket: Socket, peer: Peer | undefined): void {
    // From the first moment, whatever drips in meanwhile; the time-out of node:tls is one of silence.
    const timer = setTimeout(() => socket.destroy(), this.#options.handshakeTimeoutMs)
    this.#waiting.set(socket, { peer, timer })
    // Who ends its side within the handshake has left, and would be waited for until its time is up. The tls.TLSSocket takes this over;
    // whoever it goes to then says anew what it allows (http/connection.ts, http/http2-session.ts).
    socket.allowHalfOpen = false
    socket.on('close', () => {
      if (this.#take(socket) !== undefined) this.#options.failed()
    })
    this.#server.emit('connection', socket)
  }

  /** For connections from now on; those that are open keep what they began with. */
  renew(certificate: Certificate): void {
    this.#server.setSecureContext(contextOf(this.#options, certificate))
  }

  /** Resolves when no handshake is under way. */
  settled(): Promise<void> {
    if (this.#waiting.size === 0) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#emptied.push(resolve)
    return promise
  }

  /** Handshakes under way are cut. */
  close(): void {
    for (const socket of this.#waiting.keys()) socket.destroy()
  }

  #take(socket: Socket | undefined): Waiting | undefined {
    const found = socket && this.#waiting.get(socket)
    if (found === undefined) return undefined
    clearTimeout(found.timer)
    this.#waiting.delete(socket!)
    // In the turn after: whoever waits must find the connection where it goes now.
    if (this.#waiting.size === 0) for (const resolve of this.#emptied.splice(0)) setImmediate(resolve)
    return found
  }
}

function contextOf(options: TlsDoorOptions, { cert, key, passphrase, ca }: Certificate): tls.TlsOptions {
  const { minVersion, ticketKeys } = options
  return {
    cert,
    key,
    minVersion,
    ticketKeys,
    // A ticket is good for servers that go by the same name. Node's own default is made of the command line.
    sessionIdContext: 'millrace',
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(ca === undefined ? {} : { ca }),
  }
}

/** node:tls keeps it under this name and does not document it; where it is not there, nothing is served (`found` above). */
function rawOf(socket: tls.TLSSocket): Socket | undefined {
  return (socket as tls.TLSSocket & { readonly _parent?: Socket })._parent
}
