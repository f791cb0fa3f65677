// Which request is being answered, for what watches handlers in development without being given anything of the request.
//
// In development only: the server enters it there and nowhere else, because following a request through its promises costs every request.
import { AsyncLocalStorage } from 'node:async_hooks'
import type { RequestRecord } from './request-record.ts'

/** One for each request, where the record may be another request's later. */
export interface CurrentRequest {
  readonly record: RequestRecord
}

const current = new AsyncLocalStorage<CurrentRequest>()

/** @returns undefined outside a request, and in production */
export function currentRequest(): CurrentRequest | undefined {
  return current.getStore()
}

/** Runs what answers a request, in sight of `currentRequest`. */
export function answering<T>(record: RequestRecord, answer: () => T): T {
  return current.run({ record }, answer)
}
