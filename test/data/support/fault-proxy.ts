// A TCP proxy that does to connections what networks do: it delays, trickles, holds, cuts and resets them, on demand and while they are open.
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net'

/** Where connections go; a path is a unix socket's. */
export type Target = { readonly host?: string; readonly port: number } | { readonly path: string }

/** What happens to bytes on their way, in both directions. */
export interface Weather {
  /** Every chunk arrives this much later, in order. Milliseconds; default 0. */
  readonly latencyMs?: number
  /** At most this many bytes at once, with a pause between. Default: as they come. */
  readonly trickle?: { readonly bytes: number; readonly everyMs: number }
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
}

export class FaultProxy {
  readonly #server: Server
  readonly #pairs = new Set<Pair>()
  #target: Target
  #weather: Weather = {}
  #way: 'through' | 'refused' | 'held' = 'through'
  #awaited: (() => void)[] = []
  /** Connections that were ever accepted. */
  accepted = 0

  private constructor(target: Target) {
    this.#target = target
    this.#server = createServer({ allowHalfOpen: true }, client => this.#accept(client))
  }

  /** Listens on a free port of 127.0.0.1 and passes everything through. */
  static async start(target: Target): Promise<FaultProxy> {
    const proxy = new FaultProxy(target)
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject)
      proxy.#server.listen(0, '127.0.0.1', resolve)
    })
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Connections open now, on the client's side. */
  get open(): number {
    return this.#pairs.size
  }

  /** New connections go elsewhere: the other side of a failover. Open ones stay until they are cut. */
  pointTo(target: Target): void {
    this.#target = target
  }

  /** From the next chunk on, also of open connections. */
  slow(weather: Weather): void {
    this.#weather = weather
  }

  /** Nothing passes any more, and nobody is told: a cable that was pulled. New connections are accepted and hang. */
  hold(): void {
    this.#way = 'held'
  }

  /** Ends all connections in order (FIN) and new ones as soon as they come: a server that is shut down. */
  cut(): void {
    this.#way = 'refused'
    for (const { client, server } of [...this.#pairs]) {
      client.destroySoon()
      server.destroySoon()
    }
  }

  /** Resets all connections (RST) and new ones as soon as they come: a server that was killed. */
  reset(): void {
    this.#way = 'refused'
    this.resetOpen()
  }

  /** Resets what is open; new connections pass. */
  resetOpen(): void {
    for (const { client, server } of [...this.#pairs]) {
      reset(client)
      server.destroy()
    }
  }

  /** Everything passes again, what was held first. */
  heal(): void {
    this.#way = 'through'
    this.#weather = {}
    for (const go of this.#awaited.splice(0)) go()
  }

  async close(): Promise<void> {
    this.reset()
    for (const go of this.#awaited.splice(0)) go()
    await new Promise<void>(resolve => this.#server.close(() => resolve()))
  }

  #accept(client: Socket): void {
    this.accepted++
    client.on('error', () => {})
    if (this.#way === 'refused') {
      client.resetAndDestroy()
      return
    }
    const server = connect({ allowHalfOpen: true, ...this.#target })
    server.on('error', () => reset(client))
    const pair = { client, server }
    this.#pairs.add(pair)
    client.on('close', () => {
      this.#pairs.delete(pair)
      server.destroy()
    })
    server.on('close', () => client.destroySoon())
    void this.#carry(client, server)
    void this.#carry(server, client)
  }

  async #carry(from: Socket, to: Socket): Promise<void> {
    try {
      // The other half of the connection stays open when this one has ended.
      for await (const chunk of from.iterator({ destroyOnReturn: false })) {
        const { latencyMs = 0 } = this.#weather
        if (latencyMs > 0) await pause(latencyMs)
        await this.#deliver(chunk as Buffer, to)
      }
      while (this.#way === 'held') await this.#healed()
      to.end()
    } catch {
      // Cut or reset; the sockets' own events end the pair.
    }
  }

  async #deliver(chunk: Buffer, to: Socket): Promise<void> {
    for (let start = 0; start < chunk.length;) {
      while (this.#way === 'held') await this.#healed()
      const { trickle } = this.#weather
      const size = trickle?.bytes ?? chunk.length
      if (to.destroyed) return
      const free = to.write(chunk.subarray(start, start + size))
      start += size
      if (!free) await drained(to)
      if (trickle) await pause(trickle.everyMs)
    }
  }

  #healed(): Promise<void> {
    return new Promise(resolve => this.#awaited.push(resolve))
  }
}

/** One that is being shut down cannot be reset any more: Node (26) would keep its handle, and turn on it for ever when the process ends. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

function drained(socket: Socket): Promise<void> {
  return new Promise(resolve => {
    if (socket.destroyed) return resolve()
    socket.once('drain', resolve)
    socket.once('close', () => resolve())
  })
}
