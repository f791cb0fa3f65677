// Closing a connection so that its peer can tell: by a reset instead of a FIN.
import type { Duplex } from 'node:stream'

/**
 * Has `destroy()` send a reset. What node:net's own resetAndDestroy sets, which ends the stream first: it would send the FIN that this is
 * about, and wait for a peer that takes nothing. Nothing happens where there is no reset (unix sockets, in memory, TLS), or after the
 * stream has been ended: libuv resets no socket that is being shut down, and node:net then never closes it, nor ends the process.
 */
export function resetOnClose(socket: Duplex): void {
  const inner = socket as { _handle?: { reset?: unknown } | null; resetAndClosing?: boolean }
  if (!socket.writableEnded && typeof inner._handle?.reset === 'function') inner.resetAndClosing = true
}
