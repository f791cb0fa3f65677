// Looks into a worker from inside, when somebody asks: a heap snapshot or a CPU profile, written to a file that its owner alone can read.
//
// By the inspector of V8 through a session in the same thread: no port is opened, and nothing is loaded before it is asked for.
import { writeSync } from 'node:fs'
import { open, unlink } from 'node:fs/promises'
import type { Session } from 'node:inspector'
import { ControlError } from './control-protocol.ts'

export type InspectionOrder =
  /** The worker stands still while it is taken, seconds for each 100 MB of heap, and needs memory for several more heaps. */
  | { readonly what: 'heap-snapshot'; readonly file: string }
  | { readonly what: 'cpu-profile'; readonly file: string; readonly seconds: number }

/**
 * @returns bytes that were written
 * @throws ControlError `CONTROL_FILE` when the file is there already, cannot be made, or has no room for all of it; none is left then
 */
export async function inspect(order: InspectionOrder): Promise<number> {
  // Heaps hold passwords and what clients sent: nobody else may read them. And what is there is never written over.
  const file = await open(order.file, 'wx', 0o600).catch((error: unknown) => {
    throw fileError(order.file, error as NodeJS.ErrnoException)
  })
  const { Session } = await import('node:inspector')
  const session = new Session()
  session.connect()
  try {
    if (order.what === 'heap-snapshot') await takeHeapSnapshot(session, file.fd)
    else await file.writeFile(await profile(session, order.seconds * 1000))
    return (await file.stat()).size
  } catch (error) {
    await unlink(order.file).catch(() => {})
    throw (error as NodeJS.ErrnoException).syscall === undefined ? error : fileError(order.file, error as Error)
  } finally {
    session.disconnect()
    await file.close()
  }
}

async function takeHeapSnapshot(session: Session, fd: number): Promise<void> {
  let failure: unknown
  // The pieces come one by one while the call below lasts, and memory must not hold a second heap. What is thrown here, nobody hears of.
  session.on('HeapProfiler.addHeapSnapshotChunk', ({ params }) => {
    if (failure !== undefined) return
    try {
      writeWhole(fd, params.chunk)
    } catch (error) {
      failure = error
    }
  })
  await post(done => session.post('HeapProfiler.takeHeapSnapshot', { reportProgress: false }, done))
  if (failure !== undefined) throw failure
}

/** On a disk that is nearly full a part is written, and only the next call fails. */
function writeWhole(fd: number, text: string): void {
  let bytes = Buffer.from(text)
  // eslint-disable-next-line n/no-sync -- the loop stands still already
  while (bytes.length > 0) bytes = bytes.subarray(writeSync(fd, bytes))
}

async function profile(session: Session, lastsMs: number): Promise<string> {
  await post(done => session.post('Profiler.enable', done))
  await post(done => session.post('Profiler.start', done))
  await new Promise(resolve => setTimeout(resolve, lastsMs))
  const result = await post<{ profile: unknown }>(done => session.post('Profiler.stop', done))
  return JSON.stringify(result.profile)
}

function post<T = object>(send: (done: (error: Error | null, result?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => send((error, result) => (error ? reject(error) : resolve(result!))))
}

function fileError(path: string, error: NodeJS.ErrnoException): ControlError {
  const why: Readonly<Record<string, string>> = {
    EEXIST: 'is there already, and is not written over; name another file',
    ENOENT: 'lies in a folder that is not there',
    ENOTDIR: 'lies in something that is no folder',
    EACCES: `may not be written by the server (user ${process.getuid?.()}); name a file where it may write`,
    EROFS: 'lies on a file system that is read only',
    ENOSPC: 'does not fit on its disk; name another place',
    EDQUOT: "does not fit into the server's quota of its disk; name another place",
    EFBIG: 'would be larger than files of the server may be (ulimit -f)',
  }
  return new ControlError('CONTROL_FILE', `${path} ${why[error.code ?? ''] ?? `cannot be made: ${error.message}`}`, {
    cause: error,
  })
}
