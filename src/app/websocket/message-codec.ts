// Between one message on the wire and one value in a handler: validated on the way in, filtered on the way out.
import { compileBody, type Decoder } from '../../schema/decode.ts'
import { ResponseError } from '../../schema/errors.ts'
import type { Issue } from '../../schema/issue.ts'
import { BadJsonError, parseJson } from '../../schema/json-text.ts'
import { compileResponse, type Encoder } from '../../schema/serialize.ts'
import type { ErrorFormat } from '../problem.ts'
import type { MessageKind, SocketRules } from './socket-route.ts'

/** Text as a string, bytes as they are. */
export type Sent = string | Uint8Array

/** A message of the client is not what the route takes. */
export class InvalidMessage {
  /** RFC 6455 §7.4.1. */
  readonly closeCode: number
  readonly reason: string
  /** What its schema found. */
  readonly issues: readonly Issue[] | undefined

  constructor(closeCode: number, reason: string, issues?: readonly Issue[]) {
    this.closeCode = closeCode
    this.reason = reason
    this.issues = issues
  }
}

export class MessageCodec {
  readonly kind: MessageKind
  readonly #receives: Decoder | undefined
  readonly #takesNone: boolean
  readonly #sends: Encoder | undefined
  readonly #sendsNone: boolean
  readonly #where: string

  /** @throws UsageError for a schema that cannot be described or compiled, naming the route */
  constructor({ messages, receives, sends }: SocketRules, format: ErrorFormat, where: string) {
    this.kind = messages
    this.#where = where
    const reading = format === 'fastapi' ? 'fastapi' : 'strict'
    this.#receives = receives ? compileBody(receives, `${where} receives`, reading) : undefined
    this.#takesNone = receives === null
    this.#sends = sends ? compileResponse(sends, `${where} sends`) : undefined
    this.#sendsNone = sends === null
  }

  /**
   * @returns the value, or InvalidMessage, or a promise of either when its schema validates asynchronously
   */
  decode(data: Buffer, isBinary: boolean): unknown {
    if (this.#takesNone) return new InvalidMessage(1008, 'no messages are taken here')
    switch (this.kind) {
      case 'mixed':
        return isBinary ? data : data.toString()
      case 'binary':
        return isBinary ? data : new InvalidMessage(1003, 'messages are binary here')
      case 'text':
        if (isBinary) return new InvalidMessage(1003, 'messages are text here')
        return this.#validated(data.toString())
      case 'json': {
        if (isBinary) return new InvalidMessage(1003, 'messages are JSON text here')
        let value: unknown
        try {
          value = parseJson(data)
        } catch (error) {
          if (error instanceof BadJsonError) return new InvalidMessage(1007, `not JSON: ${error.message}`)
          throw error
        }
        return this.#validated(value)
      }
    }
  }

  #validated(value: unknown): unknown {
    if (this.#receives === undefined) return value
    const issues: Issue[] = []
    const output = this.#receives.decode(value, issues)
    if (output instanceof Promise) return output.then(late => settled(late, issues))
    return settled(output, issues)
  }

  /** @throws ResponseError `SCHEMA_BAD_RESPONSE` for what the route does not declare */
  encode(message: unknown): Sent {
    if (this.#sendsNone) throw new ResponseError(`${this.#where}: it declares that it sends nothing`)
    switch (this.kind) {
      case 'json':
        return this.#sends ? this.#sends.encode(message) : jsonText(message, this.#where)
      case 'text':
        if (typeof message !== 'string') throw this.#unfit(message, 'a string')
        this.#sends?.encode(message)
        return message
      case 'binary':
        if (!(message instanceof Uint8Array)) throw this.#unfit(message, 'a Uint8Array')
        return message
      case 'mixed':
        if (typeof message === 'string' || message instanceof Uint8Array) return message
        throw this.#unfit(message, 'a string or a Uint8Array')
    }
  }

  #unfit(message: unknown, wanted: string): ResponseError {
    return new ResponseError(`${this.#where}: a message is ${wanted} here, not a value of type ${typeof message}`)
  }
}

function settled(output: unknown, found: readonly Issue[]): unknown {
  if (found.length === 0) return output
  // The schema was compiled as that of a body.
  const issues = found.map(issue => ({ ...issue, loc: ['message', ...issue.loc.slice(1)] }))
  const [first] = issues
  return new InvalidMessage(1008, `${first!.loc.join('.')}: ${first!.msg}`, issues)
}

function jsonText(message: unknown, where: string): string {
  let text: string | undefined
  try {
    text = JSON.stringify(message)
  } catch (cause) {
    throw new ResponseError(`${where}: the message has no JSON form: ${(cause as Error).message}`, cause)
  }
  if (text === undefined) throw new ResponseError(`${where}: the message has no JSON form`)
  return text
}
