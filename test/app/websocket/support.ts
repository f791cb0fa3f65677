// A WebSocket spoken by hand, so that a test decides about every byte; and an app behind the engine over each way in.
import { createHash, randomBytes } from 'node:crypto'
import type { App } from '../../../src/index.ts'
import { Engine, type EngineOptions } from '../../../src/http/engine.ts'
import { type Client, type Way, ways } from '../../http/support/connect.ts'

export const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
export const ACCEPT = createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')

/** One char per byte. */
export function handshake(
  path: string,
  change: Readonly<Record<string, string | undefined>> = {},
  version = '1.1',
): string {
  const fields = {
    Host: 'a',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Key': KEY,
    'Sec-WebSocket-Version': '13',
    ...change,
  }
  const lines = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}\r\n`],
  )
  return `GET ${path} HTTP/${version}\r\n${lines.join('')}\r\n`
}

export interface Frame {
  readonly opcode: number
  readonly isLast: boolean
  readonly payload: Buffer
}

/** As a client sends it: masked. One char per byte. */
export function frame(payload: string | Buffer, opcode = 1, isLast = true): string {
  const bytes = Buffer.from(payload as string)
  const mask = randomBytes(4)
  const head = [(isLast ? 0x80 : 0) | opcode]
  if (bytes.length < 126) head.push(0x80 | bytes.length)
  else if (bytes.length < 65_536) head.push(0x80 | 126, bytes.length >> 8, bytes.length & 255)
  else {
    const length = Buffer.alloc(8)
    length.writeBigUInt64BE(BigInt(bytes.length))
    head.push(0x80 | 127, ...length)
  }
  const masked = bytes.map((byte, n) => byte ^ mask[n % 4]!)
  return Buffer.concat([Buffer.from(head), mask, masked]).toString('latin1')
}

export function closeFrame(code: number, reason = ''): string {
  return frame(Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]), 8)
}

/** What a server has sent behind its head. Throws for what no server may send. */
export function framesOf(text: string): Frame[] {
  const bytes = Buffer.from(text.slice(text.indexOf('\r\n\r\n') + 4), 'latin1')
  const frames: Frame[] = []
  for (let at = 0; at + 2 <= bytes.length;) {
    if (bytes[at]! & 0x70) throw new Error('a reserved bit is set')
    if (bytes[at + 1]! & 0x80) throw new Error('a server does not mask')
    let length = bytes[at + 1]! & 127
    const start = at + 2 + (length === 126 ? 2 : length === 127 ? 8 : 0)
    // The length itself may be cut.
    if (start > bytes.length) break
    if (length === 126) length = bytes.readUInt16BE(at + 2)
    else if (length === 127) length = Number(bytes.readBigUInt64BE(at + 2))
    if (start + length > bytes.length) break
    frames.push({ opcode: bytes[at]! & 15, isLast: bytes[at]! >= 0x80, payload: bytes.subarray(start, start + length) })
    at = start + length
  }
  return frames
}

export function textsOf(text: string): string[] {
  return framesOf(text)
    .filter(({ opcode }) => opcode === 1)
    .map(({ payload }) => payload.toString())
}

/** The close frame; undefined while there is none. */
export function closingOf(text: string): { code: number; reason: string } | undefined {
  const found = framesOf(text).find(({ opcode }) => opcode === 8)
  return found && { code: found.payload.readUInt16BE(0), reason: found.payload.subarray(2).toString() }
}

export interface Serving {
  readonly engine: Engine
  open(): Promise<Client>
  stop(): Promise<void>
}

export async function serving(app: App<any, any>, way: Way, options: EngineOptions = {}): Promise<Serving> {
  const started = await app.start()
  const engine = new Engine(started.handler, options)
  const clients: Client[] = []
  return {
    engine,
    async open() {
      const client = await way.open(engine)
      clients.push(client)
      return client
    },
    async stop() {
      for (const client of clients) client.destroy()
      engine.close()
      await started.stop(5000)
    },
  }
}

export { ways }
