// The same bytes put through our engine and through node:http, each on a connection in memory, and what each made of them.
import http from 'node:http'
import { Duplex } from 'node:stream'
import { Engine } from '../../../src/http/engine.ts'
import type { Exchange } from '../../../src/http/exchange.ts'
import { prepareHead } from '../../../src/http/prepared-head.ts'
import { readAnswers } from '../../http/support/connect.ts'

export interface SeenRequest {
  readonly method: string
  readonly target: string
  /** Name and value in turn, names in lower case. */
  readonly fields: readonly string[]
  /** One char per byte. */
  body: string
  isWhole: boolean
}

export interface Seen {
  readonly requests: readonly SeenRequest[]
  /** What it was refused with: a code of ours, or node's. */
  readonly refusal: string | undefined
  /** Everything that was answered, one char per byte. */
  readonly output: string
}

/** A socket in memory: bytes are pushed in, what is written is kept. */
class Wire extends Duplex {
  output = ''
  readonly requests: SeenRequest[] = []
  refusal: string | undefined = undefined
  readonly isOver: Promise<void>

  constructor() {
    super({ allowHalfOpen: true })
    const { promise, resolve } = Promise.withResolvers<void>()
    this.isOver = promise
    this.on('close', resolve)
  }

  override _read(): void {}

  override _write(piece: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.output += piece.toString('latin1')
    done()
  }
}

const NO_CONTENT = prepareHead(204)
const CUT = prepareHead(400)

export interface Feeding {
  readonly pieces: readonly Buffer[]
  /** Small bodies are waited for before the handler runs, or the handler has every request at once. */
  readonly gathers: boolean
  readonly halfClose: 'abort' | 'answer'
}

/** @throws Error when the engine holds on to the connection, or answers what it should not */
export async function throughOurs({ pieces, gathers, halfClose }: Feeding): Promise<Seen> {
  const wire = new Wire()
  const handler = async (exchange: Exchange): Promise<void> => {
    const { method, target } = exchange
    const seen: SeenRequest = { method, target, fields: [...exchange.fields.entries()].flat(), body: '', isWhole: false }
    wire.requests.push(seen)
    try {
      for await (const piece of exchange.body) seen.body += Buffer.from(piece).toString('latin1')
    } catch {
      // Broken, which the engine has answered already, or cut by the end of the connection.
      if (!exchange.answered) exchange.send(CUT, null)
      return
    }
    seen.isWhole = true
    exchange.send(NO_CONTENT, null)
  }
  let failure: unknown
  let finished = 0
  const engine = new Engine(handler, {
    limits: gathers ? { gatherMs: 60_000 } : { gatherBytes: 0 },
    halfClose,
    onRefused: error => (wire.refusal = error.code),
    onFinished: () => finished++,
    onError: error => (failure ??= error),
  })
  engine.accept(wire)
  for (const piece of pieces) wire.push(piece)
  wire.push(null)
  await wire.isOver
  if (failure !== undefined) throw new Error('the engine reported an error', { cause: failure })
  if (engine.connections !== 0 || engine.inflight !== 0) throw new Error('the engine keeps what is closed')
  const { requests, refusal, output } = wire
  if (finished !== requests.length) throw new Error(`${requests.length} exchanges ended ${finished} times`)
  checkAnswers(wire)
  return { requests, refusal, output }
}

/** One answer to each whole request, one more to what was refused or cut, and nothing behind it. */
function checkAnswers({ requests, refusal, output }: Wire): void {
  const statuses = readAnswers(output, true).map(({ status }) => status)
  const whole = requests.filter(({ isWhole }) => isWhole).length
  const expected = whole + (refusal !== undefined || whole < requests.length ? 1 : 0)
  if (statuses.length !== expected) throw new Error(`${statuses.length} answers where ${expected} belong`)
  statuses.forEach((status, n) => {
    if (n < whole !== (status === 204)) throw new Error(`answer ${n + 1} is a ${status}`)
  })
}

/** node:http with its defaults, but for its clocks. */
export class NodeServer {
  readonly #server = http.createServer({ connectionsCheckingInterval: 2 ** 30, keepAliveTimeout: 0 })

  constructor() {
    const collect = (request: http.IncomingMessage, response: http.ServerResponse) => {
      const wire = request.socket as unknown as Wire
      const fields = request.rawHeaders.map((text, n) => (n % 2 === 0 ? text.toLowerCase() : text))
      const seen: SeenRequest = { method: request.method!, target: request.url!, fields, body: '', isWhole: false }
      wire.requests.push(seen)
      request.on('error', () => {})
      request.on('data', (piece: Buffer) => (seen.body += piece.toString('latin1')))
      request.on('end', () => {
        seen.isWhole = true
        response.writeHead(204).end()
      })
    }
    this.#server.on('request', collect)
    this.#server.on('checkContinue', collect)
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      const wire = socket as unknown as Wire
      // Not destroyed: what was whole before it is still on its way to its listeners.
      wire.refusal ??= error.code
    })
  }

  /** @returns what was seen of it, once the next turns of the loop are over */
  begin(bytes: Buffer): () => Promise<Seen> {
    const wire = new Wire()
    this.#server.emit('connection', wire)
    wire.push(Buffer.from(bytes))
    return async () => {
      wire.destroy()
      await wire.isOver
      const { output } = wire
      let { requests, refusal } = wire as Seen
      // Some things node refuses in its own answer, and goes on parsing.
      const refused = [...output.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status!).filter(status => status !== '100')
      const at = refused.findIndex(status => status !== '204')
      if (at >= 0) {
        requests = requests.slice(0, at)
        refusal = `HTTP_${refused[at]!}`
      }
      return { requests, refusal, output }
    }
  }
}
