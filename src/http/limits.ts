// Every limit of the engine, with its default and where that number comes from. All are settings.

/** Sizes in bytes, times in milliseconds. */
export interface Limits {
  /** Request target, 414 beyond. 8 KiB: the line limit of Apache and nginx, and what RFC 9110 §4.1 asks at least (8,000). */
  readonly maxTargetBytes: number
  /** Request line and fields together, 431 beyond. 16 KiB: Node's `maxHeaderSize`, close to hyper's and h11's. */
  readonly maxHeadBytes: number
  /** Field lines of one head, 431 beyond. 100: Apache's LimitRequestFields, gunicorn's limit_request_fields, hyper's default. */
  readonly maxFields: number
  /** Request body unless the reader says otherwise, 413 beyond. 1 MiB: nginx's client_max_body_size, Fastify's bodyLimit. */
  readonly maxBodyBytes: number
  /** Extensions of one chunk. 4 KiB: as a line of text ever needs; nothing uses them. */
  readonly maxChunkExtensionBytes: number
  /** Extensions of all chunks of a message. 16 KiB: hyper's, and Go's after CVE-2023-39326. */
  readonly maxExtensionsBytes: number
  /** Trailer section. 4 KiB: we read it and drop it. */
  readonly maxTrailerBytes: number
  /** A body that is waited for before the handler runs, so that a slow sender holds no permit. 64 KiB: one read of the socket. */
  readonly gatherBytes: number
  /** How long that wait may last. 100 ms: a round trip anywhere, and nobody notices. */
  readonly gatherMs: number
  /** Bytes that are read ahead of the handler, and the rest of a refused body that is read to keep the connection. As one read. */
  readonly maxReadAheadBytes: number
  /** Pipelined requests read ahead while one is being answered. 8: twice what any client was seen to use. */
  readonly maxReadAhead: number
  /** Streams of one HTTP/2 connection at a time. 100: what RFC 9113 §6.5.2 asks at least; Apache's and Go's are near. */
  readonly maxStreams: number
  /**
   * HTTP/2 streams that may end without their answer; each that is answered gives one back, so a client is cut off when it resets more
   * than it lets us answer. 200: a page full of images that is left; Envoy looks after 500.
   */
  readonly maxResets: number
  /** Pipelined requests served per connection in one turn of the loop, so that a busy peer cannot starve the rest. As hyper. */
  readonly requestsPerTurn: number
  /**
   * Requests answered on one connection, the last with `Connection: close`, up to a tenth fewer by chance; 0 is no limit. None by
   * default: nginx has 1000 because its connections keep memory until they close, ours keep none from one request to the next. A
   * limit helps a balancer to spread connections anew after workers or hosts were added.
   */
  readonly maxRequestsPerConnection: number
  /** From the first byte of a head to its end, 408 beyond; a drip does not extend it. 10 s: mod_reqtimeout's is 20, Slowloris needs it low. */
  readonly headTimeoutMs: number
  /** An open connection without a request. 5 s: Node's, uvicorn's and Apache's KeepAliveTimeout; 65 s behind a balancer. */
  readonly keepAliveTimeoutMs: number
  /** Slowest body and slowest reader accepted, on average after `minRateGraceMs`. 240 B/s after 5 s: Kestrel's MinDataRate. */
  readonly bodyMinBytesPerSecond: number
  readonly responseMinBytesPerSecond: number
  readonly minRateGraceMs: number
  /** A response of which the peer takes nothing at all. 30 s: half of nginx's send_timeout. */
  readonly writeStallMs: number
  /** How long a closed connection is still read and thrown away, so that the answer is not lost to a reset (RFC 9112 §9.6). */
  readonly lingerMs: number
}

export const DEFAULT_LIMITS: Limits = {
  maxTargetBytes: 8192,
  maxHeadBytes: 16_384,
  maxFields: 100,
  maxBodyBytes: 1_048_576,
  maxChunkExtensionBytes: 4096,
  maxExtensionsBytes: 16_384,
  maxTrailerBytes: 4096,
  gatherBytes: 65_536,
  gatherMs: 100,
  maxReadAheadBytes: 65_536,
  maxReadAhead: 8,
  maxStreams: 100,
  maxResets: 200,
  requestsPerTurn: 16,
  maxRequestsPerConnection: 0,
  headTimeoutMs: 10_000,
  keepAliveTimeoutMs: 5000,
  bodyMinBytesPerSecond: 240,
  responseMinBytesPerSecond: 240,
  minRateGraceMs: 5000,
  writeStallMs: 30_000,
  lingerMs: 1000,
}
