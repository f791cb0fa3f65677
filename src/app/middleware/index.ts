// Middleware that comes with Millrace.
export { bodyLimit } from './body-limit.ts'
export { compress, type CompressOptions } from './compress.ts'
export { cors, type CorsOptions } from './cors.ts'
export { deadline } from './deadline.ts'
export { httpsRedirect, type HttpsRedirectOptions } from './https-redirect.ts'
export { requestId, requestIdOf, type RequestIdOptions } from './request-id.ts'
export { type ContentSecurityPolicy, secureHeaders, type SecureHeadersOptions } from './secure-headers.ts'
export { trustedHosts, type TrustedHostsOptions } from './trusted-hosts.ts'
