// What most applications import.
export { App, type AppOptions } from './app/app.ts'
export { settings, type SettingsSource } from './app/app-settings.ts'
export { Answer, AnswerHeaders, type AnswerBody } from './app/answer.ts'
export type { Middleware, MiddlewareContext } from './app/compose.ts'
export type { EarlyHints, Log, RequestContext, WorkerContext } from './app/context.ts'
export {
  bytes,
  content,
  type ContentInit,
  html,
  type Piece,
  type Pieces,
  stream,
  type StreamInit,
  text,
  type TextReply,
} from './app/content.ts'
export { channel, type Channel, type SubscribeOptions } from './app/channel.ts'
export { counter, type Counter, type CounterOptions } from './app/counter.ts'
export type { Leader } from './app/leader-task.ts'
export type { Content } from './app/content-kind.ts'
export type { CookieOptions } from './app/cookie.ts'
export { dependency, type Dependency, type Scope, type Uses, type Values } from './app/dependency.ts'
export { event, events, type EventsOptions, type EventToSend, type ServerSentEvent } from './app/event-stream.ts'
export type { EventInit } from './app/event-text.ts'
export { file, type FileInit } from './app/file.ts'
export { fail, HttpError, type HttpErrorInit } from './app/http-error.ts'
export { jsonLines, type Streamed } from './app/json-lines.ts'
export type { ErrorFormat } from './app/problem.ts'
export type { FetchHandler, Mountable, MountOptions } from './app/mount.ts'
export type { NodeListener } from './app/node-mount.ts'
export type { NodeHandler, NodeHandlerOptions } from './app/node-handler.ts'
export type { NodeUpgradeHandler } from './app/node-upgrade.ts'
export { raw } from './app/raw-json.ts'
export { redirect, type RedirectStatus } from './app/redirect.ts'
export type { Reply, ReplyInit, StatusMap } from './app/reply.ts'
export type { DecompressOptions } from './app/request-content.ts'
export type { Endpoint, EndpointCache, LimitPolicy, Method, Policy } from './app/route.ts'
export { SocketClosedError } from './app/websocket/message-socket.ts'
export type {
  MessageKind,
  PublishOptions,
  Socket,
  SocketClosing,
  SocketContext,
  SocketEndpoint,
  SocketPolicy,
} from './app/websocket/socket-route.ts'
export { Router, type IncludeOptions, type Lifespan, type RouterOptions, type Routes } from './app/router.ts'
export { sparse, type Sparse, type SparseOptions } from './app/sparse.ts'
export { urlFor, type UrlOptions, type UrlValue } from './app/url.ts'
export type { Versioning } from './app/versions.ts'
export {
  cache,
  Cache,
  keyed,
  type CacheKey,
  type CacheOptions,
  type CachePolicy,
  type CacheStats,
  type Keyed,
  type KeyedPolicy,
} from './cache/index.ts'
export type { Duration } from './core/duration.ts'
export { MillraceError, OverloadError, UsageError } from './core/error.ts'
export type { Peer } from './http/exchange.ts'
export type { FileRule, UploadedFile } from './app/uploaded-file.ts'
export { ResponseError, ValidationError } from './schema/errors.ts'
export type { Issue } from './schema/issue.ts'
export type { In, JsonSchema, Out, Schema } from './schema/schema.ts'
