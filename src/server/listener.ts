// The listening socket: bound and held by the supervisor, accepted from by the workers, who inherit its descriptor.
//
// The supervisor never polls it. It only keeps it alive, so that a connection which arrives while workers come and go waits in the
// kernel's queue and none is lost (docs/decisions/0002-accept-mode.md).
import { lookup } from 'node:dns/promises'
import { rmSync } from 'node:fs'
import { chmod, lstat, unlink } from 'node:fs/promises'
import net from 'node:net'
import { getSystemErrorName } from 'node:util'
import { leanSocket } from '../http/lean-socket.ts'
import { isAnswered } from './answered-socket.ts'
import { StartError } from './errors.ts'
import { EXIT } from './exit-codes.ts'
import { hostAndPort } from './setting-types.ts'

export type ListenAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  /** The mode of the socket file; 0666 by default. */
  | { readonly kind: 'unix'; readonly path: string; readonly mode?: number }
  /** Bound by somebody else, who tells no address that can be shown. */
  | { readonly kind: 'descriptor'; readonly fd: number }

/** Who takes what is accepted. */
export interface AcceptsSockets {
  /** The sockets are read by our own engine; TLS takes them as node:net makes them, and reads them itself. */
  readonly isPlain: boolean
  admit(socket: net.Socket): void
}

export interface HeldSocket {
  /** With the port that was picked when 0 was asked for. */
  readonly address: ListenAddress
  readonly fd: number
  close(): void
  /** Somebody else holds it as well and goes on: nothing of it is removed, now or by close(). */
  leave(): void
  /** Nobody else goes on with it, whatever was so before. */
  claim(): void
}

export function listenAddress(settings: {
  readonly host: string
  readonly port: number
  readonly uds: string
  readonly udsMode: number
  readonly fd: number | null
}): ListenAddress {
  const { host, port, uds, udsMode, fd } = settings
  if (fd !== null) return { kind: 'descriptor', fd }
  return uds === '' ? { kind: 'tcp', host, port } : { kind: 'unix', path: uds, mode: udsMode }
}

// 0666, as uvicorn: whoever may reach the folder may connect, just as anybody here may connect to a loopback port.
const UNIX_MODE = 0o666

/**
 * Binds without accepting.
 *
 * @throws StartError `LISTEN_BUSY`, `LISTEN_DENIED` or `LISTEN_FAILED`, exit code 4
 */
export async function holdSocket(wanted: ListenAddress): Promise<HeldSocket> {
  if (wanted.kind === 'unix') {
    await clearSocketFile(wanted.path)
    const handle = bindHandle(wanted.path, -1, -1, wanted)
    await chmod(wanted.path, wanted.mode ?? UNIX_MODE)
    return leavable(wanted, handle.fd, () => handle.close())
  }
  if (wanted.kind === 'descriptor') return holdDescriptor(wanted)
  const { address: ip, family } = await lookup(wanted.host).catch((error: unknown) => {
    throw listenError(error, wanted)
  })
  // bind(2) alone finds a busy port only when listen(2) follows, and libuv reports it later still: ask by a real listen first.
  if (wanted.port !== 0) await probe(wanted, ip)
  if (net.BoundSocket === undefined) {
    const handle = bindHandle(ip, wanted.port, family, wanted)
    const name: { port?: number } = {}
    handle.getsockname?.(name)
    return leavable({ ...wanted, port: name.port ?? wanted.port }, handle.fd, () => handle.close())
  }
  try {
    const bound = new net.BoundSocket({ host: ip, port: wanted.port })
    return leavable({ ...wanted, port: bound.address().port }, bound.fd(), () => bound.close())
  } catch (error) {
    throw listenError(error, wanted)
  }
}

/** Nothing is bound, and nothing that somebody else has bound is removed at the end. */
function holdDescriptor(wanted: ListenAddress & { kind: 'descriptor' }): HeldSocket {
  const handle = bindHandle(null, 0, 0, wanted, wanted.fd)
  const name: { address?: string; port?: number } = {}
  // A unix socket has no such name.
  handle.getsockname?.(name)
  const { address: host, port } = name
  const address = host === undefined || port === undefined ? wanted : ({ kind: 'tcp', host, port } as const)
  return leavable(address, wanted.fd, () => handle.close())
}

/** One that a server of ours has bound and shares with us; once it is claimed, a socket file goes when we do. */
export function adoptSocket(fd: number, address: ListenAddress): HeldSocket {
  const handle = bindHandle(null, 0, 0, address, fd)
  const adopted = leavable(address, fd, () => {
    handle.close()
    // Only who has bound it has its name removed by libuv.
    // eslint-disable-next-line n/no-sync
    if (address.kind === 'unix') rmSync(address.path, { force: true })
  })
  adopted.leave()
  return adopted
}

// Closing is what removes a socket file; one that is not closed goes with the process, and leaves its file.
function leavable(address: ListenAddress, fd: number, close: () => void): HeldSocket {
  let isLeft = false
  return {
    address,
    fd,
    leave: () => {
      isLeft = true
    },
    claim: () => {
      isLeft = false
    },
    close: () => {
      if (!isLeft) close()
    },
  }
}

/** Accepts from an inherited descriptor. */
export function listenOnDescriptor(fd: number, backlog: number, doorway: AcceptsSockets): Promise<net.Server> {
  return listening(makeServer(doorway), server => server.listen({ fd, backlog }))
}

/** Binds and accepts in this process. */
export async function listenOnAddress(
  wanted: ListenAddress,
  backlog: number,
  doorway: AcceptsSockets,
): Promise<{ server: net.Server; address: ListenAddress }> {
  if (wanted.kind === 'unix') await clearSocketFile(wanted.path)
  const server = await listening(makeServer(doorway), server =>
    wanted.kind === 'unix'
      ? server.listen({ path: wanted.path, backlog })
      : wanted.kind === 'descriptor'
        ? server.listen({ fd: wanted.fd, backlog })
        : server.listen({ host: wanted.host, port: wanted.port, backlog }),
  ).catch((error: unknown) => {
    throw listenError(error, wanted)
  })
  if (wanted.kind === 'unix') await chmod(wanted.path, wanted.mode ?? UNIX_MODE)
  const bound = server.address()
  if (wanted.kind === 'descriptor' && bound !== null && typeof bound === 'object')
    return { server, address: { kind: 'tcp', host: bound.address, port: bound.port } }
  if (wanted.kind !== 'tcp' || bound === null || typeof bound === 'string') return { server, address: wanted }
  return { server, address: { ...wanted, port: bound.port } }
}

/** What to open in a browser: an address that means "all interfaces" is shown as loopback. */
export function urlOf(address: ListenAddress, isTls = false): string {
  if (address.kind === 'unix') return `unix:${address.path}`
  if (address.kind === 'descriptor') return `fd:${address.fd}`
  const host = address.host === '0.0.0.0' ? '127.0.0.1' : address.host === '::' ? '::1' : address.host
  return `http${isTls ? 's' : ''}://${hostAndPort(host, address.port)}`
}

/** @param flag  the option that chose the address */
export function listenError(
  error: unknown,
  wanted: ListenAddress,
  flag: 'port' | 'uds' | 'admin' = wanted.kind === 'unix' ? 'uds' : 'port',
): StartError {
  if (wanted.kind === 'descriptor')
    return new StartError(
      'LISTEN_FAILED',
      EXIT.address,
      `descriptor ${wanted.fd} is no socket that can be listened on; was it passed to this process?`,
      { cause: error },
    )
  const name = wanted.kind === 'unix' ? wanted.path : hostAndPort(wanted.host, wanted.port)
  const code = (error as NodeJS.ErrnoException).code
  const other = { port: 'another --port (0 picks a free one)', uds: 'another --uds', admin: 'another --admin, or off' }[
    flag
  ]
  if (code === 'EADDRINUSE')
    return new StartError(
      'LISTEN_BUSY',
      EXIT.address,
      `${name} is busy: another process listens there; stop it or choose ${other}`,
      { cause: error },
    )
  if (code === 'EACCES')
    return new StartError(
      'LISTEN_DENIED',
      EXIT.address,
      `${name} may not be bound by this user (ports below 1024 usually need root); choose ${other}`,
      { cause: error },
    )
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return new StartError(
      'LISTEN_FAILED',
      EXIT.address,
      `${wanted.kind === 'tcp' ? wanted.host : name} is no address of this machine; 0.0.0.0 listens on all of them, 127.0.0.1 on this machine only`,
      { cause: error },
    )
  return new StartError(
    'LISTEN_FAILED',
    EXIT.address,
    `cannot listen on ${name}: ${error instanceof Error ? error.message : String(error)}`,
    { cause: error },
  )
}

function makeServer(doorway: AcceptsSockets): net.Server {
  // Half-open: a client may send its FIN after the request and still read the answer. No delay: the engine writes whole answers.
  return net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, socket =>
    doorway.admit(doorway.isPlain ? leanSocket(socket) : socket),
  )
}

function listening(server: net.Server, start: (server: net.Server) => void): Promise<net.Server> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.once('listening', () => {
      server.off('error', reject)
      // accept(2) failing (out of descriptors) is no reason to end the process; the next connection may succeed.
      server.on('error', () => {})
      resolve(server)
    })
    start(server)
  })
}

async function probe(wanted: ListenAddress & { kind: 'tcp' }, ip: string): Promise<void> {
  const server = net.createServer()
  try {
    await listening(server, server => server.listen({ host: ip, port: wanted.port, exclusive: true }))
  } catch (error) {
    throw listenError(error, wanted)
  }
  await new Promise(resolve => server.close(resolve))
}

/** Removes a socket file that nobody listens on any more; refuses a live one, and anything that is not a socket. */
async function clearSocketFile(path: string): Promise<void> {
  if (Buffer.byteLength(path) > 107)
    throw new StartError('LISTEN_FAILED', EXIT.address, `${path} is too long for a unix socket: at most 107 bytes`)
  const found = await lstat(path).catch(() => undefined)
  if (!found) return
  if (!found.isSocket())
    throw new StartError('LISTEN_FAILED', EXIT.address, `${path} exists and is not a socket; choose another --uds`)
  if (await isAnswered(path))
    throw listenError(Object.assign(new Error('busy'), { code: 'EADDRINUSE' }), { kind: 'unix', path })
  await unlink(path)
}

/** What `net._createServerHandle` gives: a bound handle of libuv whose descriptor can be inherited. */
interface BoundHandle {
  readonly fd: number
  close(): void
  /** Not of unix sockets. */
  getsockname?(out: object): number
}

/**
 * net.BoundSocket came with Node 26.4 and knows TCP only. For unix sockets and older versions this is the function that Node's own
 * cluster module binds with; it exists under this name in every version since 0.8 and needs no declaration to be removed.
 */
function bindHandle(
  address: string | null,
  port: number,
  family: number,
  wanted: ListenAddress,
  fd?: number,
): BoundHandle {
  const { _createServerHandle: create } = net as unknown as {
    _createServerHandle?(
      address: string | null,
      port: number,
      type: number,
      fd?: number,
      flags?: number,
    ): BoundHandle | number
  }
  if (create === undefined)
    throw new StartError(
      'LISTEN_FAILED',
      EXIT.address,
      `this Node (${process.version}) cannot hold ${wanted.kind === 'tcp' ? 'a port' : 'this socket'} for several workers`,
    )
  const handle = create(address, port, family, fd)
  if (typeof handle === 'number')
    throw listenError(Object.assign(new Error(`bind failed`), { code: getSystemErrorName(handle) }), wanted)
  return handle
}
