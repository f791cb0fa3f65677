// What we use of the library `ws`, which reads and writes the frames. Loaded when the first app with a WebSocket route starts.
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

/** As far as a server touches it. */
export interface WsSocket {
  readonly protocol: string
  /** Names of those that were agreed on; '' for none. */
  readonly extensions: string
  /** 1: open. */
  readonly readyState: number
  /** Handed over and not taken by the kernel yet. */
  readonly bufferedAmount: number
  send(data: string | Uint8Array, options: WsSendOptions, done?: (error?: Error) => void): void
  close(code: number, reason?: string): void
  ping(): void
  pause(): void
  resume(): void
  terminate(): void
}

export interface WsSendOptions {
  readonly binary: boolean
}

/** Stands in for node:http's IncomingMessage. */
export interface WsRequest {
  readonly method: 'GET'
  readonly url: string
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly httpVersion: '1.1'
  readonly socket: Duplex
}

export interface WsServer {
  handleUpgrade(request: WsRequest, socket: Duplex, head: Buffer, accepted: (ws: WsSocket) => void): void
  /** Before the 101 is written: its lines, to which others may be added. */
  on(event: 'headers', listener: (lines: string[], request: WsRequest) => void): this
}

export interface WsServerOptions {
  readonly noServer: true
  /** Its own class, or one that extends it: of the sockets that it makes. */
  readonly WebSocket: new (...of: readonly unknown[]) => object
  readonly clientTracking: false
  readonly maxPayload: number
  readonly closeTimeout: number
  readonly perMessageDeflate: boolean | object
  readonly handleProtocols: (offered: ReadonlySet<string>, request: WsRequest) => string | false
}

/** The library's client, for tests of applications. */
export interface WsClient extends WsSocket {
  on(event: 'open', listener: () => void): this
  on(event: 'unexpected-response', listener: (request: ClientRequest, response: IncomingMessage) => void): this
  on(event: 'message', listener: (data: Buffer, isBinary: boolean) => void): this
  on(event: 'close', listener: (code: number, reason: Buffer) => void): this
  on(event: 'error', listener: (error: Error) => void): this
}

export interface WsLibrary {
  readonly WebSocket: new (
    url: string,
    protocols: readonly string[],
    options: {
      readonly createConnection: () => Duplex
      readonly headers: Readonly<Record<string, string>>
      readonly perMessageDeflate: boolean
    },
  ) => WsClient
  readonly WebSocketServer: new (options: WsServerOptions) => WsServer
}

let loading: Promise<WsLibrary> | undefined

export function loadWs(): Promise<WsLibrary> {
  // No types of its own, and its users need none.
  const name = 'ws'
  return (loading ??= import(name) as Promise<WsLibrary>)
}
