// Opens streams of events, holds them, and tells how long it takes until all of them have an event, or their end.
import { connect, type Socket } from 'node:net'

export type EventsLoad =
  | { readonly do: 'open'; readonly port: number; readonly connections: number }
  /** One event to all: asked for with POST /broadcast?n=. */
  | { readonly do: 'broadcast'; readonly port: number; readonly n: number }
  /** Somebody is about to end the server. */
  | { readonly do: 'end'; readonly pid: number }

export interface EventsReport {
  /** Of this step: streams opened, that got the event, or that ended whole. */
  readonly count: number
  /** Until the first, half, and all of them. */
  readonly firstMs: number
  readonly halfMs: number
  readonly allMs: number
  /** Of 'end': those whose last event has a `retry`, and the range of these. */
  readonly retries?: { readonly count: number; readonly leastMs: number; readonly mostMs: number }
}

/** Opened at a time: a backlog holds them, and no handshake is lost. */
const AT_ONCE = 200

interface Stream {
  readonly socket: Socket
  /** What came since the last step. */
  text: string
  isOpen: boolean
}

const streams: Stream[] = []
let look: ((stream: Stream) => void) | undefined

process.on('message', message => {
  const load = message as EventsLoad
  const run = load.do === 'open' ? open(load) : load.do === 'broadcast' ? broadcast(load) : end(load)
  run.then(
    report => process.send!(report),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`)
      process.exit(1)
    },
  )
})
process.on('disconnect', () => process.exit())

async function open({ port, connections }: { port: number; connections: number }): Promise<EventsReport> {
  const steps = stepped(connections, stream => /^id: 0\n\n/m.test(stream.text))
  let next = 0
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < connections) {
        next++
        await one(port)
      }
    }),
  )
  return steps
}

/** Resolves when its head and first event are here. */
function one(port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const stream: Stream = { socket, text: '', isOpen: true }
  streams.push(stream)
  socket.setEncoding('latin1').on('data', (piece: string) => {
    stream.text += piece
    if (stream.text.includes('id: 0\n\n')) resolve()
    look?.(stream)
  })
  socket.on('error', reject)
  socket.on('close', () => {
    stream.isOpen = false
    reject(new Error('a stream ended before its first event'))
    look?.(stream)
  })
  socket.write(`GET /events HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept: text/event-stream\r\n\r\n`)
  return promise
}

async function broadcast({ port, n }: { port: number; n: number }): Promise<EventsReport> {
  for (const stream of streams) stream.text = ''
  const steps = stepped(streams.length, stream => stream.text.includes(`id: ${n}\n\n`))
  await fetch(`http://127.0.0.1:${port}/broadcast?n=${n}`, { method: 'POST' })
  return steps
}

/** A stream ends whole when the last chunk has come and the connection was closed after it. */
async function end({ pid }: { pid: number }): Promise<EventsReport> {
  for (const stream of streams) stream.text = ''
  const steps = stepped(streams.length, stream => !stream.isOpen && stream.text.endsWith('0\r\n\r\n'))
  process.kill(pid, 'SIGTERM')
  const report = await steps
  const retries = streams.flatMap(({ text }) => {
    const found = /^retry: (\d+)$/m.exec(text)?.[1]
    return found === undefined ? [] : [Number(found)]
  })
  return {
    ...report,
    ...(retries.length === 0
      ? {}
      : { retries: { count: retries.length, leastMs: Math.min(...retries), mostMs: Math.max(...retries) } }),
  }
}

/** Resolves when so many streams are so, each counted when it first is. */
function stepped(wanted: number, isSo: (stream: Stream) => boolean): Promise<EventsReport> {
  const startMs = performance.now()
  const timesMs: number[] = []
  const counted = new Set<Stream>()
  return new Promise(resolve => {
    look = stream => {
      if (counted.has(stream) || !isSo(stream)) return
      counted.add(stream)
      timesMs.push(performance.now() - startMs)
      if (timesMs.length < wanted) return
      look = undefined
      const [firstMs, halfMs, allMs] = [timesMs[0]!, timesMs[wanted >> 1]!, timesMs.at(-1)!]
      resolve({ count: timesMs.length, firstMs, halfMs, allMs })
    }
  })
}
