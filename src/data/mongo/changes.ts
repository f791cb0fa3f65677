// A collection's changes as an async iterator that outlives outages: it opens again where the last change left it.
//
// The driver resumes once by itself. A server that stays away longer is waited for here, with a token of the last change that was handed
// out, so that none is left out and none comes twice.
import { BSON, type ChangeStream, type Collection as DriverCollection, type Document } from 'mongodb'
import type { DocumentForm } from './document-form.ts'
import { DocumentError, MongoUnavailableError, misuse } from './errors.ts'
import type { Operations } from './operations.ts'
import { pause } from '../../core/pause.ts'

export interface WatchOptions {
  readonly signal?: AbortSignal | undefined
  /** A change's `resumeToken`: the first one given is the one after it. */
  readonly resumeAfter?: string | undefined
  /** Default: all four. */
  readonly operations?: readonly Change<unknown>['operation'][]
}

/** T: the documents as handlers hold them. */
export interface Change<T> {
  readonly operation: 'insert' | 'update' | 'replace' | 'delete'
  readonly id: string
  /** As it is when the change is read; undefined where it is gone. */
  readonly document: T | undefined
  /** Opaque; keeps for as long as the server's log goes back. */
  readonly resumeToken: string
}

export type Changes<T> = AsyncGenerator<Change<T>, void, undefined>

const OPERATIONS = ['insert', 'update', 'replace', 'delete'] as const

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 5000

export async function* watch<T>(
  collection: DriverCollection,
  form: DocumentForm,
  operations: Operations,
  options: WatchOptions,
): Changes<T> {
  const { signal } = options
  let token = options.resumeAfter === undefined ? undefined : readToken(options.resumeAfter)
  const pipeline = [{ $match: { operationType: { $in: [...(options.operations ?? OPERATIONS)] } } }]
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    signal?.throwIfAborted()
    const stream = collection.watch(pipeline, {
      fullDocument: 'updateLookup',
      ...(token === undefined ? {} : { resumeAfter: token }),
    })
    const end = (): void => void stream.close().catch(() => {})
    signal?.addEventListener('abort', end, { once: true })
    try {
      for (;;) {
        const change = await next(stream)
        token = change['_id']
        pauseMs = FIRST_PAUSE_MS
        yield toChange<T>(change, form)
      }
    } catch (error) {
      signal?.throwIfAborted()
      if (operations.isClosed) return
      const mapped = operations.failure(error, signal)
      if (!(mapped instanceof MongoUnavailableError)) throw mapped
      // How far the server says that it had come. The last change may be so long ago that its log no longer goes back to it.
      token = (stream.resumeToken as Document | null | undefined) ?? token
    } finally {
      signal?.removeEventListener('abort', end)
      await stream.close().catch(() => {})
    }
    await pause(pauseMs, signal)
  }
}

async function next(stream: ChangeStream): Promise<Document> {
  return await stream.next()
}

/** @throws DocumentError with the token of the change, so that one misfit does not stand in the way of all that comes after it */
function toChange<T>(change: Document, form: DocumentForm): Change<T> {
  const resumeToken = Buffer.from(BSON.serialize(change['_id'] as Document)).toString('base64url')
  const stored = change['fullDocument'] as Document | null | undefined
  try {
    return {
      operation: change['operationType'] as Change<T>['operation'],
      id: String(form.idFromStored((change['documentKey'] as Document)['_id'])),
      document: stored ? (form.fromStored(stored) as T) : undefined,
      resumeToken,
    }
  } catch (error) {
    if (error instanceof DocumentError) error.resumeToken = resumeToken
    throw error
  }
}

function readToken(text: string): Document {
  try {
    return BSON.deserialize(Buffer.from(text, 'base64url'))
  } catch {
    throw misuse('MONGO_RESUME_TOKEN', 'resumeAfter is no token of a change; expected the resumeToken of one')
  }
}
