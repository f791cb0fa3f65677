// The sockets that a server on 127.0.0.1 holds, by the address of its peer, as the kernel has them: neither side is asked.
import { readFileSync } from 'node:fs'

/** @returns for each peer's address, how many connections to the port some process still holds on the server's side */
export function heldSockets(port: number): Map<string, number> {
  const held = new Map<string, number>()
  // With the address: a client on 127.0.0.2 may by chance have the same port.
  const own = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`
  for (const line of readFileSync('/proc/net/tcp', 'latin1').split('\n').slice(1)) {
    const [, local, remote, state, , , , , , inode] = line.trim().split(/\s+/)
    if (local !== own || state === LISTENING) continue
    // 0: closed by its process, and only the kernel's any more.
    if (inode === '0') continue
    const address = dotted(remote!.slice(0, 8))
    held.set(address, (held.get(address) ?? 0) + 1)
  }
  return held
}

const LISTENING = '0A'

/** '0200007F' is 127.0.0.2: the bytes of the address as a little-endian number. */
function dotted(hex: string): string {
  return [6, 4, 2, 0].map(at => parseInt(hex.slice(at, at + 2), 16)).join('.')
}
