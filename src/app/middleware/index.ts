// Middleware that comes with Millrace.
export { compress, type CompressOptions } from './compress.ts'
export { cors, type CorsOptions } from './cors.ts'
export { requestId, type RequestIdOptions } from './request-id.ts'
