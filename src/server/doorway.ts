// The whole way of a connection from accept(2) to the engine, as the settings want it:
//
//   entrance   caps, and who the client is          entrance.ts
//   door       TLS, and which protocol it chose     tls-door.ts
//   engine     HTTP/1.1 or HTTP/2
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Engine } from '../http/engine.ts'
import type { Peer } from '../http/exchange.ts'
import { peerOf } from '../http/peer.ts'
import type { Logger } from '../observe/logger.ts'
import { watchCertificate } from './certificate-watch.ts'
import { readCertificate, usesTls } from './certificate.ts'
import type { RequestCounter } from './counters.ts'
import { entranceOptions } from './engine-options.ts'
import { Entrance } from './entrance.ts'
import { failureOf } from './errors.ts'
import type { Settings } from './settings.ts'

export interface Doorway {
  /** The sockets are read by our own engine at once: they may be lean (http/lean-socket.ts). */
  readonly isPlain: boolean
  /** @param socket  as accepted: nothing of it has been read */
  admit(socket: Socket): void
  /** Resolves when nobody is on the way between entrance and engine. */
  settled(): Promise<void>
  /** Reads the files of the certificate again; without one there is nothing to do. */
  reopen(): Promise<void>
  /** Who is on the way is closed. */
  close(): void
}

// A certificate that ends sooner is worth a line in the log at each start.
const SOON_MS = 7 * 24 * 3_600_000

/** @throws StartError `TLS_*` */
export async function openDoorway(
  settings: Settings,
  engine: Engine,
  counter: RequestCounter,
  log: Logger,
  ticketKeys = randomBytes(48),
): Promise<Doorway> {
  if (!usesTls(settings)) {
    const entrance = new Entrance(entranceOptions(settings, counter, true), (socket, peer) =>
      engine.accept(socket, peer),
    )
    return {
      isPlain: true,
      admit: socket => entrance.admit(socket),
      settled: () => Promise.resolve(),
      reopen: () => Promise.resolve(),
      close: () => entrance.close(),
    }
  }
  const [{ TlsDoor }, { acceptHttp2 }, certificate] = await Promise.all([
    import('./tls-door.ts'),
    import('../http/accept-http2.ts'),
    readCertificate(settings),
  ])
  if (certificate.validTo.getTime() < Date.now() + SOON_MS)
    log.warn(`the certificate in ${settings.tlsCert} is valid only until ${certificate.validTo.toISOString()}`)
  const options = {
    certificate,
    minVersion: settings.tlsMinVersion === '1.3' ? 'TLSv1.3' : 'TLSv1.2',
    http2: settings.http2,
    requiresCertificate: settings.tlsCa !== '' && settings.tlsClients === 'require',
    ticketKeys,
    handshakeTimeoutMs: settings.tlsHandshakeTimeout,
    failed: () => counter.refused['tls-handshake']++,
  } as const
  const door = new TlsDoor(options, (socket, named) => {
    const peer = named && peerBehind(socket, named)
    if (socket.alpnProtocol === 'h2') acceptHttp2(engine, socket, peer)
    else engine.accept(socket, peer)
  })
  const entrance = new Entrance(entranceOptions(settings, counter, false), (socket, peer) => door.enter(socket, peer))
  const unwatch = watchCertificate(settings, log, renewed => door.renew(renewed))
  return {
    isPlain: false,
    admit: socket => entrance.admit(socket),
    settled: () => door.settled(),
    reopen: async () => {
      try {
        door.renew(await readCertificate(settings))
        log.info(`${settings.tlsCert} was read again, as asked`)
      } catch (error) {
        log.error(`the certificate is not read again, the old one stays: ${failureOf(error).message}`)
      }
    },
    close: () => {
      unwatch()
      entrance.close()
      door.close()
    },
  }
}

/** Who a header of the PROXY protocol names, and what TLS, which goes through the proxy, says of it. */
function peerBehind(socket: Socket, named: Peer): Peer {
  return { ...peerOf(socket), address: named.address, port: named.port }
}
