// Requests on a schedule, whether or not the last ones were answered: an open model, as independent users are.
//
// A latency counts from the time at which its request was due. So a server that stops for a second shows it in every request that was due
// in that second, and not in one (no coordinated omission). When no connection is free, another is opened.
import { connect, type Socket } from 'node:net'
import { percentile } from '../harness/percentile.ts'

export interface OpenLoad {
  readonly port: number
  readonly path: string
  readonly perSecond: number
  readonly seconds: number
}

export interface OpenLoadReport {
  readonly answered: number
  /** Answers other than 200, connections that were lost, and what was not answered in time. */
  readonly failed: number
  /** Sent again because a connection was closed that had been idle, as every client does (RFC 9112 §9.3.1). */
  readonly repeated: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly mostMs: number
  /** How late this client was in sending: what it adds to the latencies by itself. */
  readonly lateP99Ms: number
  readonly connections: number
}

/** What is not answered so long after the last one was due has failed. */
const LAST_ANSWER_MS = 10_000

process.on('message', message => {
  void run(message as OpenLoad).then(report => process.send!(report))
})
process.on('disconnect', () => process.exit())

async function run({ port, path, perSecond, seconds }: OpenLoad): Promise<OpenLoadReport> {
  const bytes = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)
  const count = Math.round(perSecond * seconds)
  const latencies: number[] = []
  const late: number[] = []
  const free: Connection[] = []
  const all = new Set<Connection>()
  let failed = 0
  let repeated = 0
  let sent = 0
  const { promise: ended, resolve: end } = Promise.withResolvers<void>()
  const settle = () => {
    if (latencies.length + failed === count) end()
  }
  const startMs = performance.now() + 100

  const taken = (): Connection | undefined => {
    for (;;) {
      const connection = free.pop()
      // Those that nobody has used for a while are closed by the server.
      if (connection?.isOpen !== false) return connection
      all.delete(connection)
    }
  }
  const send = (dueMs: number, idle: Connection | undefined) => {
    const connection = idle ?? new Connection(port)
    all.add(connection)
    connection.ask(bytes, end => {
      if (connection.isOpen) free.push(connection)
      else all.delete(connection)
      if (end === 'lost' && idle) {
        repeated++
        return send(dueMs, undefined)
      }
      if (end === 'right') latencies.push(performance.now() - dueMs)
      else failed++
      settle()
    })
  }
  const sendDue = () => {
    const nowMs = performance.now()
    for (; sent < count; sent++) {
      const dueMs = startMs + (sent * 1000) / perSecond
      if (dueMs > nowMs) break
      late.push(nowMs - dueMs)
      send(dueMs, taken())
    }
    // A timer may be a millisecond late, which is as long as an answer takes.
    if (sent < count) setImmediate(sendDue)
    else setTimeout(end, LAST_ANSWER_MS).unref()
  }
  sendDue()
  await ended
  const connections = all.size
  for (const connection of all) connection.close()
  return {
    answered: latencies.length,
    failed: count - latencies.length,
    repeated,
    p50Ms: percentile(latencies, 50),
    p99Ms: percentile(latencies, 99),
    mostMs: percentile(latencies, 100),
    lateP99Ms: percentile(late, 99),
    connections,
  }
}

/** 'lost': without a byte of an answer. */
type End = 'right' | 'wrong' | 'lost'

/** One request at a time, answered with a Content-Length. */
class Connection {
  readonly #socket: Socket
  #text = ''
  #answered: ((end: End) => void) | undefined = undefined
  isOpen = true

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.#socket.setEncoding('latin1')
    this.#socket.on('data', (text: string) => this.#take(text))
    this.#socket.on('error', () => {})
    this.#socket.on('close', () => {
      this.isOpen = false
      this.#end(this.#text === '' ? 'lost' : 'wrong')
    })
  }

  ask(bytes: Buffer, answered: (end: End) => void): void {
    this.#answered = answered
    this.#socket.write(bytes)
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(text: string): void {
    this.#text += text
    const headEnd = this.#text.indexOf('\r\n\r\n')
    if (headEnd === -1) return
    const length = /\r\ncontent-length: *(\d+)/i.exec(this.#text.slice(0, headEnd))
    if (!length) return this.close()
    if (this.#text.length < headEnd + 4 + Number(length[1])) return
    const isRight = this.#text.startsWith('HTTP/1.1 200 ')
    this.#text = ''
    this.#end(isRight ? 'right' : 'wrong')
  }

  #end(end: End): void {
    const answered = this.#answered
    this.#answered = undefined
    answered?.(end)
  }
}
