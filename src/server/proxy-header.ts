// Reads the header of the PROXY protocol off a socket, and leaves everything behind it for whoever comes next.
import type { Socket } from 'node:net'
import { parseProxyHeader, type ProxyHeader } from '../http/proxy-protocol.ts'

/**
 * @param socket  nothing of it has been read
 * @param told  called once: with the header, the socket paused and the bytes behind the header put back; or with undefined, when what
 *   came is no header, did not come in time, or the peer has gone
 */
export function readProxyHeader(
  socket: Socket,
  timeoutMs: number,
  told: (header: ProxyHeader | undefined) => void,
): void {
  let received: Buffer | undefined
  const end = (header: ProxyHeader | undefined) => {
    clearTimeout(timer)
    socket.off('data', onData).off('end', onGone).off('error', onGone).off('close', onGone)
    told(header)
  }
  const onGone = () => end(undefined)
  const onData = (bytes: Buffer) => {
    received = received === undefined ? bytes : Buffer.concat([received, bytes])
    let header: ProxyHeader | undefined
    try {
      header = parseProxyHeader(received)
    } catch {
      return end(undefined)
    }
    if (header === undefined) return
    socket.pause()
    if (received.length > header.length) socket.unshift(received.subarray(header.length))
    end(header)
  }
  // From the first moment, whatever drips in meanwhile: a proxy sends the header with the connection.
  const timer = setTimeout(onGone, timeoutMs)
  socket.on('data', onData).on('end', onGone).on('error', onGone).on('close', onGone)
  socket.resume()
}
