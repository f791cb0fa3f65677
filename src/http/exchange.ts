// One request and its one answer, as the engine hands it to the layer above: the only seam between bytes and everything else.
//
// HTTP/1 (connection.ts), an in-memory fetch() and a node:http server each make one; nobody above can tell which it was.
import type { X509Certificate } from 'node:crypto'
import type { Duplex } from 'node:stream'
import type { RequestRecord } from '../core/request-record.ts'
import type { FieldList, PreparedHead } from './prepared-head.ts'
import type { ReadyAnswer } from './ready-answer.ts'

/** Request fields. Names are matched without case; values are text with one char per byte (latin1), outer SP and HTAB trimmed. */
export interface FieldLines {
  /** All values of the name joined by ', ' ('; ' for cookie); undefined when absent. `name` in lower case. */
  get(name: string): string | undefined
  /** Each value of the name in order; empty when absent. `name` in lower case. */
  all(name: string): readonly string[]
  has(name: string): boolean
  /** Whether one of these names is there, in lower case. Asked again with the same set, a connection that sends the same fields pays for one look. */
  hasAny(names: ReadonlySet<string>): boolean
  /** Every line in order; names in lower case. */
  entries(): Iterable<readonly [name: string, value: string]>
}

export interface Peer {
  /** IP address, '' for a unix socket or in memory. */
  readonly address: string
  readonly port: number
  readonly encrypted: boolean
  /** Of a client that has shown one and is trusted for it; on a connection of its own, and not by word of a proxy. */
  readonly certificate?: X509Certificate | undefined
}

/** The bytes after the head. Read once: by `bytes`, or by iterating. */
export interface RequestBody extends AsyncIterable<Uint8Array> {
  readonly kind: 'none' | 'length' | 'chunked'
  /** Content-Length; undefined for chunked; 0 for none. */
  readonly length: number | undefined
  /**
   * The whole body. Not a promise when all of it is here already, so that a small JSON body costs no turn of the loop.
   *
   * @param maxBytes  default: the engine's `maxBodyBytes`
   * @throws BodyError `HTTP_BODY_TOO_LARGE` (413) as soon as the declared length or the bytes read pass `maxBytes`,
   *   `HTTP_BODY_ABORTED` (client went away), `HTTP_BODY_TIMEOUT` (408), or a framing ProtocolError
   */
  bytes(maxBytes?: number): Uint8Array | Promise<Uint8Array>
  /** Bounds what iteration may yield; the same errors as `bytes`. The default is the engine's `maxBodyBytes`. */
  limit(maxBytes: number): void
}

/** A response whose body is written in pieces. Content-Length when declared, else chunked (or close-delimited on HTTP/1.0). */
export interface ResponseWriter {
  /** @returns false when the peer is slower than we are: await `drained()` before the next piece */
  write(piece: string | Uint8Array): boolean
  /** Resolves when there is room again; rejects with the signal's reason when the connection is gone. */
  drained(): Promise<void>
  /**
   * @param trailers  fields behind a chunked body, by the rules of prepareHead; left out where the framing has no place for them
   * @throws UsageError `HTTP_BAD_FIELD`; the body is not ended then
   */
  end(trailers?: FieldList): void
  /** Ends the body, and the connection once it is out: for a client that is to come back on another. */
  part(): void
  /** Cuts the connection: the peer must be able to tell that the body is not whole. */
  abort(reason: unknown): void
}

export interface TakenConnection {
  /** Flows as soon as somebody listens for `data`. */
  readonly socket: Duplex
  /** What has arrived behind the head already; before anything that the socket gives. */
  readonly head: Buffer
  /** Aborts the signal of the exchange, which would not hear of it otherwise. */
  abort(reason: unknown): void
}

/** The way out of HTTP for a request that asks for another protocol (RFC 9110 §7.8): one of HTTP/1.1. */
export interface ProtocolSwitch {
  /** The server goes away: who connects anew finds one that stays. */
  readonly isDraining: boolean
  /**
   * Nothing is read behind this request, whatever is answered. A proxy that takes any answer for a yes lets its client write what it likes
   * from here on, and that must never be read as a request (smuggling).
   */
  endConnection(): void
  /**
   * The exchange is over, with 101 in its record, and the connection is the caller's, who answers, and closes it. What was answered before
   * has gone out. The engine counts it until then, and cuts it when it is closed itself.
   *
   * @returns undefined for a request with a body, and when there is nobody to talk to any more
   */
  take(): TakenConnection | undefined
}

export interface Exchange {
  readonly method: string
  /** As received. */
  readonly target: string
  /** The one normal form of the path: percent-decoded, dot segments resolved, starts with '/'. '*' for `OPTIONS *`. */
  readonly path: string
  /** Raw text after the first '?', without it; '' when there is none. */
  readonly search: string
  /** From an absolute-form target, else Host; '' when an HTTP/1.0 request has none. */
  readonly authority: string
  readonly scheme: 'http' | 'https'
  readonly fields: FieldLines
  readonly body: RequestBody
  readonly peer: Peer
  readonly record: RequestRecord
  /** Aborts when the client goes away or time is up. Made on first use: a handler that never asks pays nothing. */
  readonly signal: AbortSignal
  /** A head has been handed over; whatever comes now is ignored. */
  readonly answered: boolean
  /** undefined where there is no way: HTTP/1.0, HTTP/2, app.fetch. Whether the client asks for it stands in `fields`. */
  readonly protocolSwitch: ProtocolSwitch | undefined

  /**
   * The whole answer at once: one write, Content-Length computed, Date and Connection added, body left out for HEAD, 204 and 304.
   * A second answer is ignored.
   *
   * @param more  fields of this answer alone, name and value in turn; the same rules as prepareHead
   */
  send(head: PreparedHead, body: string | Uint8Array | null, more?: FieldList): void
  /** The same, of what is sent again and again. */
  sendReady(answer: ReadyAnswer): void
  /** An answer in pieces. `length`: known size in bytes; writing another amount destroys the connection. */
  start(head: PreparedHead, more?: FieldList, length?: number): ResponseWriter
  /**
   * 103 Early Hints (RFC 8297): fields the client may act upon while the answer is being made, `link` in practice. Any number of times
   * before the answer; ignored after it, and where the client would not understand (HTTP/1.0) or there is no way (fetch).
   *
   * @throws UsageError `HTTP_BAD_FIELD`
   */
  earlyHints(fields: FieldList): void
  /** Cuts the connection without an answer. */
  destroy(reason: unknown): void
  /** Aborts `signal` and does nothing else: for who has ended an answer that the handler would have gone on with. */
  abort(reason: unknown): void
  /**
   * Bounds the time from the complete request head to the response head. When it passes first, `signal` aborts with the
   * DeadlineError and `passed` is called once, which should answer. Costs two fields: the engine looks every 50 ms while a limit
   * under two seconds is running, four times a second otherwise. The last call counts; Infinity lifts the bound.
   */
  limitTime(timeoutMs: number, passed: (exchange: Exchange) => void): void
}
