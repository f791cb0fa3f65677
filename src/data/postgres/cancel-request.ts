// Asks a server, on a socket of its own, to end the statement that another connection runs.
import pg from 'pg'

/** Of the connection whose statement is to end. */
export interface CancelTarget {
  readonly host: string
  readonly port: number
  readonly ssl?: unknown
  /** `direct`: TLS from the first byte, without asking. */
  readonly sslNegotiation?: string
  readonly processID: number
  readonly secretKey: number
}

/** A server that does not close the cancel's socket by then has had its chance. */
export const CANCEL_WITHIN_MS = 5000

interface PgConnection extends pg.Connection {
  connect(port: number | string, host?: string): void
  requestSsl(): void
  cancel(processId: number, secretKey: number): void
}

/** Resolves when the server has closed the cancel's socket: by then it has signalled the process, or found none to signal. Never rejects. */
export function sendCancel(client: CancelTarget): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const { ssl = false, sslNegotiation } = client
  const socket = new pg.Connection({ ssl, sslNegotiation } as pg.ConnectionConfig) as PgConnection
  const send = (): void => socket.cancel(client.processID, client.secretKey)
  socket.on('connect', () => {
    if (!ssl) send()
    else if (sslNegotiation !== 'direct') socket.requestSsl()
  })
  socket.on('sslconnect', send)
  // The statement then ends by itself, by its time-out, or with the connection (CANCEL_WITHIN_MS).
  socket.on('error', () => {})
  socket.on('end', resolve)
  if (client.host.startsWith('/')) socket.connect(`${client.host}/.s.PGSQL.${client.port}`)
  else socket.connect(client.port, client.host)
  const timer = setTimeout(() => socket.stream.destroy(), CANCEL_WITHIN_MS)
  return promise.finally(() => clearTimeout(timer))
}
