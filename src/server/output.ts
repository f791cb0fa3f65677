// Keeps a process serving when nobody takes what it prints: the reader of the pipe is gone, does not read, or the disk is full. What
// cannot be printed is lost, counted, and told as soon as something can be printed again.
//
// Without this the first line into a closed pipe is an error that nobody catches, one to a full disk throws out of whoever wrote it, and
// what a reader does not take is kept in memory without end (Node 26.10 and 22.18; pipes are written without blocking).
import type { Writable } from 'node:stream'

// What a slow reader may be behind. 1 MiB: some ten thousand lines, which no reader that lives falls behind.
const MAX_WAITING_BYTES = 1024 * 1024

/** For stdout and stderr of this process; a second call for the same stream changes nothing. */
export function guardOutput(...streams: readonly Writable[]): void {
  for (const stream of streams) if (!guarded.has(stream)) guard(stream)
}

const guarded = new WeakSet<Writable>()

type Done = (error?: Error | null) => void

function guard(stream: Writable): void {
  guarded.add(stream)
  const write = stream.write.bind(stream) as (chunk: unknown, encoding?: BufferEncoding, done?: Done) => boolean
  let lost = 0
  // Of a closed pipe or a full disk, after the fact.
  stream.on('error', () => lost++)
  stream.write = (chunk: unknown, second?: BufferEncoding | Done, third?: Done): boolean => {
    const [encoding, done] = typeof second === 'function' ? [undefined, second] : [second, third]
    if (stream.writableLength <= MAX_WAITING_BYTES)
      try {
        if (lost > 0 && stream.writableLength === 0) tell()
        return write(chunk, encoding, done)
      } catch {
        // Written at once, to a disk that is full.
      }
    lost++
    if (done) process.nextTick(done)
    return false
  }

  function tell(): void {
    const before = lost
    lost = 0
    write(`(${before} ${before === 1 ? 'line' : 'lines'} before this could not be printed)\n`)
  }
}
