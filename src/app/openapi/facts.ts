// What a route, a router or an app says of itself to people and tools that read its document. None of it changes what a request gets.
import type { Schema } from '../../schema/schema.ts'
import type { StatusMap } from '../reply.ts'

export interface ExternalDocs {
  readonly url: string
  readonly description?: string
}

/** One example, under its name: `{ lamp: { summary: 'The usual', value: { name: 'Lamp' } } }`. */
export interface Example {
  readonly summary?: string
  readonly description?: string
  /** On the wire: what a client sends or gets. */
  readonly value?: unknown
  /** Where the value is, instead of it. */
  readonly externalValue?: string
}
export type Examples = Readonly<Record<string, Example>>

/** Named examples by place; those of a parameter under its name, those of answers under their status. */
export interface PlacedExamples {
  readonly params?: Readonly<Record<string, Examples>>
  readonly query?: Readonly<Record<string, Examples>>
  readonly headers?: Readonly<Record<string, Examples>>
  readonly cookies?: Readonly<Record<string, Examples>>
  /** Of the body, or of the form. */
  readonly body?: Examples
  readonly returns?: { readonly [status: number]: Examples }
}

/** Said of an answer beside its schema. */
export interface ResponseFacts {
  /** Default: the status's usual phrase. */
  readonly description?: string
  /** Fields that it comes with, by name: a schema, or a schema with words to it. */
  readonly headers?: Readonly<Record<string, Schema | HeaderFacts>>
  /** OpenAPI's links, as they stand in a document. */
  readonly links?: Readonly<Record<string, object>>
}
export interface HeaderFacts {
  readonly schema: Schema
  readonly description?: string
  readonly required?: boolean
  readonly deprecated?: boolean
}
export type ResponsesFacts = { readonly [status: number]: ResponseFacts }

/** A request that goes the other way: sent by the application, answered by who has asked to be told. */
export interface Outgoing {
  /** Default POST. */
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly body?: Schema
  readonly query?: Schema
  readonly headers?: Schema
  /** What the receiver is to answer. Default: 200, whatever its body. */
  readonly returns?: Schema | StatusMap
  readonly summary?: string
  readonly description?: string
  readonly tags?: readonly string[]
  readonly deprecated?: boolean
  readonly operationId?: string
}
/** By name, then by the URL it is sent to, a runtime expression: `{ paid: { '{$request.body#/notify}': { body: Payment } } }`. */
export type Callbacks = Readonly<Record<string, Readonly<Record<string, Outgoing>>>>

export interface OperationFacts {
  /** One line. Default: the words of method and path. */
  summary?: string
  /** Markdown. */
  description?: string
  tags?: readonly string[]
  deprecated?: boolean
  /** Stays when the path changes. Default: made of method and path. */
  operationId?: string
  /** Left out of the OpenAPI document. */
  hidden?: boolean
  externalDocs?: ExternalDocs
  examples?: PlacedExamples
  /** Words, fields and links of answers, by status; their schemas stand in `returns`. */
  responses?: ResponsesFacts
  callbacks?: Callbacks
  /** Merged into the operation as the last step: objects by key, lists one behind the other. For `x-...` and what Millrace does not say. */
  openapi?: Readonly<Record<string, unknown>>
}

/** What an id is made of by an app, a router or an include of its own mind. */
export interface NamedOperation {
  readonly method: string
  /** With all prefixes. */
  readonly path: string
  readonly tags: readonly string[]
}

/** What a router or an include says of every route in it; the outer ones first. */
export interface GroupFacts {
  tags?: readonly string[]
  /** All of them. */
  deprecated?: boolean
  /** All of them are left out of the OpenAPI document. */
  hidden?: boolean
  responses?: ResponsesFacts
  callbacks?: Callbacks
  /** Makes the operation ids of routes that give none; the innermost one that is given counts. They must differ. */
  operationIds?: (operation: NamedOperation) => string
}
