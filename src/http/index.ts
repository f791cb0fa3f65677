// The HTTP/1.1 engine on its own: bytes to messages and back, for whoever wants to put something else on top.
export { Engine, type EngineOptions } from './engine.ts'
export { BodyError, ConnectionError, ProtocolError, PROTOCOL_ERROR_CODES, type ProtocolErrorCode } from './errors.ts'
export type { Exchange, FieldLines, Peer, RequestBody, ResponseWriter } from './exchange.ts'
export type { Handler } from './handler.ts'
export { DEFAULT_LIMITS, type Limits } from './limits.ts'
export { prepareHead, PreparedHead, type FieldList } from './prepared-head.ts'
export { normalPath } from './request-target.ts'
export { reasonPhrase } from './status.ts'
