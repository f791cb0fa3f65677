// Door for callers of an app.
export type { Formats, ProblemDetails, Told as CallAnswer, ValidationProblem } from '../app/call.ts'
export type { Authorize } from './authorization.ts'
export type { ClientCallOptions, ClientOptions } from './caller.ts'
export { client, type Client } from './client.ts'
export { AnswerError, CallError, type CallName } from './errors.ts'
export { unwrap } from './received.ts'
export type { RetryOptions } from './retry.ts'
