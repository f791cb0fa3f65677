// Several messages as one piece of bytes, and so one write.
//
// pg's connection writes each message by itself; held back together (cork) they become one system call of as many pieces, each with a request
// object of its own. Its methods are borrowed for what they make, with a place to put it in place of its socket.
import pg from 'pg'
import type { Parameter } from './sql.ts'

/** What can be said to PostgreSQL, by pg's names. */
export interface Messages {
  parse(message: { text: string; name: string }): void
  bind(message: { portal?: string; statement: string; values: readonly Parameter[] }): void
  describe(message: { type: 'P'; name: string }): void
  execute(message: { portal: string; rows?: number }): void
  close(message: { type: 'S' | 'P'; name: string }): void
  query(text: string): void
  sync(): void
  sendCopyFromChunk(bytes: Uint8Array): void
  endCopyFrom(): void
  sendCopyFail(reason: string): void
}

/** Gathers what its methods are told to say. */
export interface Gathering extends Messages {
  /** All of it. */
  bytes(): Buffer
}

let pieces: Buffer[] = []

const gathering = Object.assign(Object.create(pg.Connection.prototype) as Messages, {
  _send(piece: Buffer): void {
    pieces.push(piece)
  },
  bytes: () => Buffer.concat(pieces),
})

/** @returns an empty one; the same as before, so it is used up before anything else can ask for it */
export function gather(): Gathering {
  pieces = []
  return gathering
}
