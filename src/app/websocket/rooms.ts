// Rooms of one mounted route: sockets by name, here and through the host in the sibling workers.
import { randomUUID } from 'node:crypto'
import { host } from '../../core/host.ts'
import type { MessageCodec, Sent } from './message-codec.ts'
import type { MessageSocket } from './message-socket.ts'
import type { Publisher, PublishOptions } from './socket-route.ts'

/** What workers send each other: plain JSON. */
interface Published {
  /** The process it comes from, which has delivered to its own sockets already. */
  readonly from: string
  /** The route's pattern. */
  readonly path: string
  readonly room: string
  readonly text?: string
  readonly base64?: string
}

const CHANNEL = 'websocket-room'
const SELF = randomUUID()

export class Rooms implements Publisher {
  readonly #path: string
  readonly #codec: MessageCodec
  readonly #rooms = new Map<string, Set<MessageSocket>>()
  #unsubscribe: (() => void) | undefined

  constructor(path: string, codec: MessageCodec) {
    this.#path = path
    this.#codec = codec
  }

  /** From now on it hears what the siblings publish. */
  open(): void {
    this.#unsubscribe = host().subscribe(CHANNEL, message => {
      const { from, path, room, text, base64 } = message as Published
      if (from === SELF || path !== this.#path) return
      if (text !== undefined) this.#deliver(room, text)
      else if (base64 !== undefined) this.#deliver(room, Buffer.from(base64, 'base64'))
    })
  }

  close(): void {
    this.#unsubscribe?.()
  }

  join(socket: MessageSocket, room: string): void {
    const members = this.#rooms.get(room) ?? new Set()
    this.#rooms.set(room, members.add(socket))
    ;(socket.rooms ??= new Set()).add(room)
  }

  leave(socket: MessageSocket, room: string): void {
    socket.rooms?.delete(room)
    const members = this.#rooms.get(room)
    members?.delete(socket)
    if (members?.size === 0) this.#rooms.delete(room)
  }

  /** @throws ResponseError `SCHEMA_BAD_RESPONSE` for what the route does not declare */
  publish(room: string, message: unknown, { except }: PublishOptions = {}): void {
    const sent = this.#codec.encode(message)
    this.#deliver(room, sent, except)
    // 0: alone, and nobody else to tell. A host with one worker may have two while it reloads.
    if (host().worker === 0) return
    const told = typeof sent === 'string' ? { text: sent } : { base64: Buffer.from(sent).toString('base64') }
    host().publish(CHANNEL, { from: SELF, path: this.#path, room, ...told } satisfies Published)
  }

  #deliver(room: string, sent: Sent, except?: unknown): void {
    const members = this.#rooms.get(room)
    if (members === undefined) return
    const isText = typeof sent === 'string'
    // Once for all of them; each would make it again from a string.
    const bytes = isText ? Buffer.from(sent) : sent
    // Who is too slow leaves while we are at it, which a Set bears.
    for (const member of members) if (member !== except) member.deliver(bytes, isText)
  }
}
