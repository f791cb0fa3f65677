// Two ways into an engine, so that each test can run in memory and over a real socket.
import { once } from 'node:events'
import net from 'node:net'
import { duplexPair, type Duplex } from 'node:stream'
import type { Engine } from '../../../src/http/engine.ts'
import { leanSocket } from '../../../src/http/lean-socket.ts'

export interface Way {
  readonly name: string
  /** @returns the client's end of a new connection; `close` ends what was opened for it */
  open(engine: Engine): Promise<Client>
}

/** The client's end: collects what arrives, and lets a test wait for it. */
export class Client {
  readonly stream: Duplex
  /** Bytes so far. */
  received = 0
  hasEnded = false
  hasClosed = false
  readonly #wakers: (() => void)[] = []
  #chunks: Buffer[] = []
  readonly #close: () => void

  constructor(stream: Duplex, close: () => void) {
    this.stream = stream
    this.#close = close
    stream.on('data', (chunk: Buffer) => {
      this.received += chunk.length
      this.#chunks.push(chunk)
      this.#wake()
    })
    stream.on('error', () => {})
    stream.on('end', () => {
      this.hasEnded = true
      this.#wake()
    })
    stream.on('close', () => {
      this.hasClosed = true
      close()
      this.#wake()
    })
  }

  get text(): string {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)]
    return this.#chunks[0]?.toString('latin1') ?? ''
  }

  /** One char per byte. */
  write(text: string): this {
    this.stream.write(text, 'latin1')
    return this
  }

  async until(isSo: (client: Client) => boolean): Promise<this> {
    while (!isSo(this)) {
      if (this.hasClosed) throw new Error(`closed before it was so; received ${JSON.stringify(this.text)}`)
      await new Promise<void>(resolve => this.#wakers.push(resolve))
    }
    return this
  }

  /** Until this many final answers are here whole. */
  async answers(count: number): Promise<Answer[]> {
    await this.until(client => client.hasEnded || client.hasClosed || readAnswers(client.text, false).length >= count)
    return readAnswers(this.text, this.hasEnded)
  }

  /** Until the server has closed its side; closes ours. @returns all answers, the last one delimited by the end if it says so */
  async ended(): Promise<Answer[]> {
    await this.until(client => client.hasEnded || client.hasClosed)
    this.stream.end()
    return readAnswers(this.text, true)
  }

  destroy(): void {
    this.stream.destroy()
    this.#close()
  }

  #wake(): void {
    for (const wake of this.#wakers.splice(0)) wake()
  }
}

export const inMemory: Way = {
  name: 'in memory',
  open: async engine => {
    const [client, server] = duplexPair()
    client.allowHalfOpen = true
    // As a socket: who is destroyed before both sides have said everything takes the other one along.
    const isCut = (side: Duplex) => !(side.readableEnded && side.writableFinished)
    client.on('close', () => isCut(client) && server.destroy())
    server.on('close', () => isCut(server) && client.destroy())
    engine.accept(server)
    // The engine's timers do not hold the process, and there is no socket that would.
    const alive = setInterval(() => {}, 60_000)
    return new Client(client, () => clearInterval(alive))
  },
}

export const overTcp: Way = {
  name: 'over TCP',
  open: async engine => {
    // As src/server listens.
    const server = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, socket =>
      engine.accept(leanSocket(socket)),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const socket = net.connect({
      port: (server.address() as net.AddressInfo).port,
      host: '127.0.0.1',
      allowHalfOpen: true,
    })
    await once(socket, 'connect')
    return new Client(socket.setNoDelay(true), () => server.close())
  },
}

export const ways: readonly Way[] = [inMemory, overTcp]

export interface Answer {
  readonly status: number
  readonly fields: ReadonlyMap<string, string>
  readonly body: string
  /** 1xx answers that came before it. */
  readonly interim: readonly number[]
}

/**
 * Splits what a server sent, strictly: anything that is not a well-formed answer throws. Answers to HEAD are told by the field
 * `x-head`, which the tests' handlers set.
 *
 * @param isAll  nothing more will come: a rest that is no whole answer throws
 */
export function readAnswers(text: string, isAll: boolean): Answer[] {
  const answers: Answer[] = []
  let interim: number[] = []
  for (let at = 0; at < text.length;) {
    const headEnd = text.indexOf('\r\n\r\n', at)
    if (headEnd < 0) {
      if (isAll) throw new Error(`cut head: ${JSON.stringify(text.slice(at))}`)
      return answers
    }
    const [statusLine, ...lines] = text.slice(at, headEnd).split('\r\n')
    const status = Number(/^HTTP\/1\.1 (\d{3}) [\x20-\x7e]*$/.exec(statusLine!)?.[1])
    if (!status) throw new Error(`bad status line: ${JSON.stringify(statusLine)}`)
    const fields = new Map<string, string>()
    for (const line of lines) {
      const match = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([^\r\n]*)$/.exec(line)
      if (!match) throw new Error(`bad field line: ${JSON.stringify(line)}`)
      const name = match[1]!.toLowerCase()
      fields.set(name, fields.has(name) ? `${fields.get(name)!}, ${match[2]!}` : match[2]!)
    }
    at = headEnd + 4
    if (status < 200) {
      interim.push(status)
      continue
    }
    let body = ''
    const length = fields.get('content-length')
    if (status === 204 || status === 304 || fields.has('x-head')) body = ''
    else if (length !== undefined) {
      if (at + Number(length) > text.length) {
        if (isAll) throw new Error(`cut body: ${JSON.stringify(text.slice(at))} of ${length}`)
        return answers
      }
      body = text.slice(at, at + Number(length))
      at += Number(length)
    } else if (fields.get('transfer-encoding') === 'chunked') {
      for (;;) {
        const sizeEnd = text.indexOf('\r\n', at)
        const size = sizeEnd < 0 ? NaN : parseInt(text.slice(at, sizeEnd), 16)
        if (Number.isNaN(size) || sizeEnd + 4 + size > text.length) {
          if (isAll) throw new Error(`cut chunk: ${JSON.stringify(text.slice(at))}`)
          return answers
        }
        body += text.slice(sizeEnd + 2, sizeEnd + 2 + size)
        if (text.slice(sizeEnd + 2 + size, sizeEnd + 4 + size) !== '\r\n') throw new Error('bad chunk')
        at = sizeEnd + 4 + size
        if (size === 0) break
      }
    } else {
      if (!isAll) return answers
      body = text.slice(at)
      at = text.length
    }
    answers.push({ status, fields, body, interim })
    interim = []
  }
  return answers
}
