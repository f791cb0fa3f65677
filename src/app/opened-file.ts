// A file that is open for one answer: found without leaving its folder, read in pieces, and always closed again. A small one may be in memory
// (kept-files.ts); then nothing is open.
import { type BigIntStats, constants } from 'node:fs'
import { type FileHandle, open, realpath } from 'node:fs/promises'
import { join, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MillraceError } from '../core/error.ts'
import { isKeepable, isSame, keep, type KeptFile, recalled } from './kept-files.ts'

// One piece: what the engine hands to the kernel at once.
export const PIECE_BYTES = 65_536

// Without O_NONBLOCK a pipe without a writer would hold a thread of the pool for ever. Windows has neither flag.
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)
const READ_NO_LINK = READ | (constants.O_NOFOLLOW ?? 0)

export class OpenedFile {
  /** As it was opened. */
  readonly path: string
  readonly size: number
  readonly modifiedNs: bigint
  readonly #source: FileHandle | Uint8Array
  readonly #flags: number
  readonly #key: string
  readonly #stats: BigIntStats

  private constructor(path: string, source: FileHandle | Uint8Array, flags: number, key: string, stats: BigIntStats) {
    this.path = path
    this.#source = source
    this.#flags = flags
    this.#key = key
    this.#stats = stats
    this.size = Number(stats.size)
    this.modifiedNs = stats.mtimeNs
  }

  /**
   * @param root  the folder that `path` is in; what is not in it, by '..' or through a symbolic link, is not there
   * @param followLinks  links in it may lead out of it
   * @throws MillraceError `APP_NO_FILE` (404) for what is not there or is no regular file, `APP_FILE_DENIED` (404) for what this process
   *   may not read
   */
  static async open(path: string | URL, root?: string | URL, followLinks = false): Promise<OpenedFile> {
    const folder = root === undefined ? '' : resolve(textOf(root))
    const wanted = root === undefined ? resolve(textOf(path)) : inside(join(folder, textOf(path)), folder)
    const isFree = root === undefined || followLinks
    const flags = isFree ? READ : READ_NO_LINK
    const key = `${isFree ? 'free' : folder}\0${wanted}`
    const kept = await recalled(key, wanted, true)
    if (kept) return OpenedFile.#recalled(kept, flags, key)
    return OpenedFile.#open(isFree ? wanted : await within(folder, wanted), flags, key)
  }

  static #recalled({ path, bytes, stats }: KeptFile, flags: number, key: string): OpenedFile {
    return new OpenedFile(path, bytes, flags, key, stats)
  }

  static async #open(path: string, flags: number, key: string): Promise<OpenedFile> {
    const handle = await open(path, flags).catch(orNoFile)
    try {
      const stats = await handle.stat({ bigint: true })
      if (!stats.isFile()) throw noFile()
      return new OpenedFile(path, handle, flags, key, stats)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** The file beside it whose name has `ending` on top; undefined when there is none. It is held to the same folder. */
  async beside(ending: string): Promise<OpenedFile | undefined> {
    const path = this.path + ending
    const key = `${this.#flags} beside\0${path}`
    const kept = await recalled(key, path, this.#flags === READ)
    if (kept) return OpenedFile.#recalled(kept, this.#flags, key)
    try {
      return await OpenedFile.#open(path, this.#flags, key)
    } catch (error) {
      if (error instanceof MillraceError && error.code === 'APP_NO_FILE') return undefined
      throw error
    }
  }

  /**
   * All of a part at once; closes the file.
   *
   * @throws MillraceError `APP_FILE_CHANGED` (503) when the file has become shorter
   */
  async read(start: number, length: number): Promise<Uint8Array> {
    const source = this.#source
    if (source instanceof Uint8Array) return source.subarray(start, start + length)
    const mayKeep = start === 0 && length === this.size && isKeepable(this.#stats)
    try {
      // Not from the pool where it may stay: it would keep a whole slab with it.
      const bytes = mayKeep ? Buffer.allocUnsafeSlow(length) : Buffer.allocUnsafe(length)
      for (let at = 0; at < length;) {
        const { bytesRead } = await source.read(bytes, at, length - at, start + at)
        if (bytesRead === 0) throw changed()
        at += bytesRead
      }
      if (mayKeep && isSame(await source.stat({ bigint: true }), this.#stats))
        keep(this.#key, { path: this.path, stats: this.#stats, bytes })
      return bytes
    } finally {
      await this.close()
    }
  }

  /**
   * A part in pieces, each read when the last one has been taken. Never longer than `length`; a file that becomes shorter errors the
   * stream. The file is closed with the stream's end, error or cancel, and when somebody drops the stream without any of them.
   */
  stream(start: number, length: number): ReadableStream<Uint8Array> {
    const handle = this.#source
    if (handle instanceof Uint8Array)
      return new Blob([handle.subarray(start, start + length) as Uint8Array<ArrayBuffer>]).stream()
    const end = start + length
    let at = start
    const close = () => {
      abandoned.unregister(handle)
      return handle.close()
    }
    const stream = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          try {
            // Not from the pool: a piece waits for its client, and would keep a whole slab waiting with it.
            const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, end - at))
            const { bytesRead } = await handle.read(piece, 0, piece.length, at)
            if (bytesRead === 0) throw changed()
            at += bytesRead
            controller.enqueue(piece.subarray(0, bytesRead))
            if (at < end) return
            await close()
            controller.close()
          } catch (error) {
            await close()
            throw error
          }
        },
        cancel: close,
      },
      { highWaterMark: 0 },
    )
    abandoned.register(stream, handle, handle)
    return stream
  }

  /** May come twice. */
  async close(): Promise<void> {
    if (!(this.#source instanceof Uint8Array)) await this.#source.close()
  }
}

// A middleware may put another body in the place of a stream that it neither reads nor cancels. Node ends the process when it finds such
// a handle itself.
const abandoned = new FinalizationRegistry<FileHandle>(handle => void handle.close().catch(() => {}))

/** The real path of `wanted`, in `folder`. Both are resolved each time: a root may be a link that a deployment moves on. */
async function within(folder: string, wanted: string): Promise<string> {
  const [realFolder, found] = await Promise.all([realpath(folder), realpath(wanted).catch(orNoFile)])
  if (!isInside(found, realFolder)) throw noFile()
  return found
}

function inside(wanted: string, folder: string): string {
  if (!isInside(wanted, folder) || wanted.includes('\0')) throw noFile()
  return wanted
}

function isInside(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep)
}

function textOf(path: string | URL): string {
  return typeof path === 'string' ? path : fileURLToPath(path)
}

// ELOOP: also a link put in the place of the file after it was found. ENXIO: a socket, or a pipe. ERR_INVALID_ARG_VALUE: a NUL in the path.
const NOT_THERE = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG', 'ELOOP', 'ENXIO', 'ERR_INVALID_ARG_VALUE'])

function orNoFile(error: unknown): never {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  if (code === 'EACCES' || code === 'EPERM') throw denied(error)
  throw NOT_THERE.has(code) ? noFile(error) : error
}

// 404 and not 403: a client that may choose names would learn which are there. Whoever runs the server learns it from the log.
function denied(cause: unknown): MillraceError {
  return new MillraceError(
    'APP_FILE_DENIED',
    `this process may not read a file that a route answers with: ${(cause as Error).message}`,
    { status: 404, detail: 'There is no such file', cause },
  )
}

function noFile(cause?: unknown): MillraceError {
  return new MillraceError('APP_NO_FILE', 'there is no such file, or it is not in its folder', {
    status: 404,
    detail: 'There is no such file',
    cause,
  })
}

function changed(): MillraceError {
  return new MillraceError('APP_FILE_CHANGED', 'a file became shorter while it was being sent', {
    status: 503,
    detail: 'The file is being changed',
    retryAfterMs: 1000,
  })
}
