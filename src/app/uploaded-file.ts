// A file that came with a form, as handlers hold it, and what a route says about the files that it takes.
import { randomUUID } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Spool } from './spool.ts'

/** Files of one name in a form. */
export interface FileRule {
  /** Largest size of one file in bytes; over it 413. Default: as the body, by the route's `maxBodyBytes`. */
  readonly maxBytes?: number
  /** What the client may say that it is: `['image/png', 'image/*']`; another is a 422. It is the client's word: look at the bytes as well. */
  readonly types?: readonly string[]
  /** A list of files. Default: one, and the last where there are several. */
  readonly many?: boolean
  /** Most files of a list; over it 422. Default 10. */
  readonly max?: number
  /** The form is valid without one. Default: 422. */
  readonly optional?: boolean
}
export type FileRules = { readonly [name: string]: FileRule }

/** L: a route's `files`. */
export type FilesOf<L> = {
  readonly [N in keyof L]: L[N] extends { many: true }
    ? readonly UploadedFile[]
    : L[N] extends { optional: true }
      ? UploadedFile | undefined
      : UploadedFile
}

/**
 * A file of a form: in memory up to 1 MiB, else in a temporary file without a name. It is there until the answer is out and what was
 * deferred has run, or until `signal` aborts; reading it later is an error (`APP_FILE_GONE`). To keep it, `save` it.
 */
export interface UploadedFile {
  /** As the client called it, without folders and control characters. Not a path to write to: anybody may send any name. */
  readonly name: string
  /** The media type that the client says it is; application/octet-stream when it says nothing. */
  readonly type: string
  /** Bytes. */
  readonly size: number
  /** In pieces of 64 KiB, as often as you like. */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>>
  bytes(): Promise<Uint8Array<ArrayBuffer>>
  /** As UTF-8, a byte-order mark left out. */
  text(): Promise<string>
  /**
   * Copies it to a path. What is there already is left alone (EEXIST), or with `overwrite` replaced when the copy is whole.
   *
   * @throws what the file system says
   */
  save(path: string | URL, of?: { readonly overwrite?: boolean }): Promise<void>
}

export class StoredFile implements UploadedFile {
  readonly name: string
  readonly type: string
  readonly #spool: Spool

  constructor(name: string, type: string, spool: Spool) {
    this.name = name
    this.type = type
    this.#spool = spool
  }

  get size(): number {
    return this.#spool.size
  }

  stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    const pieces = this.#spool.pieces()
    return new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        async pull(controller) {
          const { done, value } = await pieces.next()
          if (done) controller.close()
          else controller.enqueue(value)
        },
      },
      { highWaterMark: 0 },
    )
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    const { buffer, byteOffset, byteLength } = await this.#spool.read(0, this.size)
    return new Uint8Array(buffer, byteOffset, byteLength)
  }

  async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes())
  }

  async save(path: string | URL, { overwrite = false }: { readonly overwrite?: boolean } = {}): Promise<void> {
    const target = typeof path === 'string' ? path : fileURLToPath(path)
    // Beside the target, because a rename does not cross file systems.
    const own = overwrite ? `${target}.${randomUUID()}.part` : target
    const file = await open(own, 'wx')
    try {
      await this.#copy(file)
      if (overwrite) await rename(own, target)
    } catch (error) {
      await rm(own, { force: true })
      throw error
    }
  }

  /** Closes `file`. */
  async #copy(file: FileHandle): Promise<void> {
    try {
      for await (const piece of this.#spool.pieces()) await file.writeFile(piece)
    } finally {
      await file.close()
    }
  }
}
