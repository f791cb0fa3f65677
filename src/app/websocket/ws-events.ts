// The events of the library's sockets, without its listeners.
import type { WsLibrary, WsServerOptions, WsSocket } from './ws-library.ts'

/** What is told of one socket. */
export interface SocketEvents {
  received(data: Buffer, isBinary: boolean): void
  /** A ping or a pong. */
  heard(): void
  errored(error: Error): void
  wasClosed(code: number, reason: string): void
}

const SOCKET = Symbol('socket')

interface WiredWs extends WsSocket {
  [SOCKET]: SocketEvents | undefined
}

/**
 * The library's class for sockets of a server, telling its events to whoever listens to each: five listeners would be kept in a table of 280 bytes
 * a socket.
 */
export function wiredClass(WebSocket: WsLibrary['WebSocket']): WsServerOptions['WebSocket'] {
  const Base = WebSocket as unknown as new (...of: readonly unknown[]) => Emitting
  return class extends Base {
    [SOCKET]: SocketEvents | undefined = undefined

    override emit(event: string, ...of: readonly unknown[]): boolean {
      const socket = this[SOCKET]
      if (socket === undefined) return super.emit(event, ...of)
      if (event === 'message') socket.received(of[0] as Buffer, of[1] as boolean)
      else if (event === 'ping' || event === 'pong') socket.heard()
      else if (event === 'error') socket.errored(of[0] as Error)
      else if (event === 'close') socket.wasClosed(of[0] as number, (of[1] as Buffer).toString())
      else return super.emit(event, ...of)
      return true
    }
  }
}

interface Emitting {
  emit(event: string, ...of: readonly unknown[]): boolean
}

/** @param ws  one of a `wiredClass` */
export function wire(ws: WsSocket, to: SocketEvents): void {
  ;(ws as WiredWs)[SOCKET] = to
}
