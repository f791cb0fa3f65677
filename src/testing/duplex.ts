// Two ends of a connection in memory: what one writes the other reads, with back-pressure, half-close and abrupt ends.
import { Duplex } from 'node:stream'

class End extends Duplex {
  other: End | undefined
  #onRead: (() => void) | undefined

  constructor() {
    super({ allowHalfOpen: true })
  }

  override _read(): void {
    const resume = this.#onRead
    this.#onRead = undefined
    resume?.()
  }

  override _write(piece: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const other = this.other!
    if (other.destroyed) return done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
    // A later turn, as with a socket: the writer never runs the reader's code.
    setImmediate(() => {
      if (other.destroyed) return done()
      if (other.push(piece)) done()
      else other.#onRead = () => done()
    })
  }

  override _final(done: (error?: Error | null) => void): void {
    setImmediate(() => {
      if (!this.other!.destroyed) this.other!.push(null)
      done()
    })
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const other = this.other!
    this.#onRead?.()
    done(error)
    setImmediate(() => {
      if (other.destroyed) return
      if (error) other.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
      else other.push(null)
    })
  }

  // What node:net sockets have and http clients call.
  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  setTimeout(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }
}

export function duplexPair(): readonly [Duplex, Duplex] {
  const one = new End()
  const two = new End()
  one.other = two
  two.other = one
  return [one, two]
}
