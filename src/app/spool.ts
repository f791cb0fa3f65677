// The bytes of one part of a form while they arrive and afterwards: in memory up to a size, then in a file that has no name any more.
//
// The file is unlinked as soon as it is open: whatever becomes of the request, or of this process, nothing is left on the disk. It is on
// the temporary folder's disk (TMPDIR) and nobody else's to read.
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileGone } from './form-errors.ts'

// 1 MiB, as Starlette's UploadFile: ten of them are still less than what a request with such a form is worth.
const MEMORY_BYTES = 2 ** 20
// To a file in pieces of this size at least: one write each would cost more than it carries.
const WRITE_BYTES = 2 ** 18
const FIRST_BYTES = 1024
/** One piece of a file that is read: what the engine hands to the kernel at once. */
const PIECE_BYTES = 65_536

const EXCLUSIVE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0)
const NOTHING = Buffer.alloc(0)

export class Spool {
  /** In memory: all of it; else what is not written yet. Copied, because a piece may be one byte of a large one. */
  #held: Buffer = NOTHING
  #heldLength = 0
  #file: FileHandle | undefined
  #written = 0
  #isReleased = false

  get size(): number {
    return this.#written + this.#heldLength
  }

  /** So much is in memory that it should be written before more comes: await `flush()`. */
  get isFull(): boolean {
    return this.#heldLength > (this.#file ? WRITE_BYTES : MEMORY_BYTES)
  }

  append(piece: Uint8Array): void {
    const length = this.#heldLength + piece.byteLength
    if (length > this.#held.length) {
      let size = Math.max(this.#held.length, FIRST_BYTES)
      while (size < length) size *= 2
      const larger = Buffer.allocUnsafeSlow(size)
      this.#held.copy(larger, 0, 0, this.#heldLength)
      this.#held = larger
    }
    this.#held.set(piece, this.#heldLength)
    this.#heldLength = length
  }

  /** Writes what is held to the file; makes one when there is none. @throws what the file system says, `APP_FILE_GONE` */
  async flush(): Promise<void> {
    const file = (this.#file ??= await openUnnamed())
    // Released while it was being opened: nobody else would close it.
    if (this.#isReleased) return this.#close()
    const bytes = this.#held.subarray(0, this.#heldLength)
    for (let at = 0; at < bytes.length;) {
      const { bytesWritten } = await file.write(bytes, at, bytes.length - at, this.#written + at)
      at += bytesWritten
    }
    this.#written += bytes.length
    this.#heldLength = 0
  }

  /** No more will come. Ends in memory, or all in the file. */
  async finish(): Promise<void> {
    if ((this.#file ?? this.isFull) && !this.#isReleased) {
      await this.flush()
      this.#held = NOTHING
    }
  }

  /** What is in memory as UTF-8: a part that is a text stays there. */
  text(): string {
    return this.#held.toString('utf8', 0, this.#heldLength)
  }

  /** @throws MillraceError `APP_FILE_GONE` */
  async read(start: number, length: number): Promise<Buffer<ArrayBuffer>> {
    if (this.#isReleased) throw fileGone()
    const bytes = Buffer.allocUnsafeSlow(Math.max(0, Math.min(length, this.size - start)))
    if (!this.#file) this.#held.copy(bytes, 0, start, start + bytes.length)
    else await readFully(this.#file, bytes, start)
    return bytes
  }

  async *pieces(): AsyncGenerator<Buffer<ArrayBuffer>, void, undefined> {
    for (let at = 0; at < this.size; at += PIECE_BYTES) yield await this.read(at, PIECE_BYTES)
  }

  /** Forgets the bytes. A read or write in flight ends first. May come twice. */
  release(): void {
    this.#isReleased = true
    this.#held = NOTHING
    this.#close()
  }

  #close(): void {
    this.#file?.close().catch(() => {})
  }
}

async function readFully(file: FileHandle, into: Buffer, start: number): Promise<void> {
  for (let at = 0; at < into.length;) {
    const { bytesRead } = await file.read(into, at, into.length - at, start + at)
    if (bytesRead === 0) throw fileGone()
    at += bytesRead
  }
}

async function openUnnamed(): Promise<FileHandle> {
  const path = join(tmpdir(), `millrace-${randomUUID()}`)
  const file = await open(path, EXCLUSIVE, 0o600)
  try {
    await unlink(path)
  } catch (error) {
    await file.close()
    throw error
  }
  return file
}
