// What one request leaves behind: each stage writes its own field, sinks (metrics, access log) read it once at the end.

/** One per request. A sink reads it when the request is over and keeps what it wants: the handler may still hold it. */
export class RequestRecord {
  method = ''
  /** The route's pattern, '/products/{id}', never the path a client chose: bounded in number. Empty when none matched. */
  route = ''
  /** 0 until a head is written. */
  status = 0
  /** performance.now() when the head was complete. */
  startedMs = 0
  /** Body bytes received and sent, as framed on the wire without the framing itself. */
  bytesIn = 0
  bytesOut = 0
  /** What a handler threw, or why the answer was cut short. */
  error: unknown = undefined

  reset(method: string, startedMs: number): void {
    this.method = method
    this.route = ''
    this.status = 0
    this.startedMs = startedMs
    this.bytesIn = 0
    this.bytesOut = 0
    this.error = undefined
  }
}
