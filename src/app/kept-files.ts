// Small files that were read once, kept in memory and held against the disk each time before they are sent again.
//
// What is kept is known by what the file system says of it: device, inode, size, and both times to the nanosecond. Whoever writes to a file,
// puts another in its place or takes away the right to read it changes one of them. One look at the disk, where opening and reading a file in
// a folder takes seven.
import type { BigIntStats } from 'node:fs'
import { lstat, stat } from 'node:fs/promises'
import { LruMap } from '../core/lru-map.ts'

export interface KeptFile {
  /** As it was opened: in its folder, every link on the way resolved. */
  readonly path: string
  readonly stats: BigIntStats
  readonly bytes: Uint8Array
}

/** 64 KiB: what is longer is sent in pieces and never held whole. */
const LARGEST_KEPT_BYTES = 65_536
/** Of a worker: the files of a large page, in every variant. */
const MOST_KEPT_BYTES = 16 * 1_048_576

// Two writes within one tick of the file system's clock leave the same times, so what was written just now is not kept (see file.ts).
const RESTED_NS = 2_000_000_000n

const files = new LruMap<string, KeptFile & { readonly key: string }>()
let keptBytes = 0

/**
 * @param key  names file and rules: the folder it must be in, and whether links are followed
 * @param path  where to look; the last part of it may be a link only where `followsLink`
 * @returns what is kept, when the disk still has the same
 */
export async function recalled(key: string, path: string, followsLink: boolean): Promise<KeptFile | undefined> {
  const kept = files.get(key)
  if (kept === undefined) return undefined
  const look = followsLink ? stat(path, { bigint: true }) : lstat(path, { bigint: true })
  const stats = await look.catch(() => undefined)
  if (stats !== undefined && isSame(stats, kept.stats)) return kept
  if (files.peek(key) === kept) drop(key)
  return undefined
}

/** Whether it is small, and has not been written to just now. */
export function isKeepable({ size, mtimeNs, ctimeNs }: BigIntStats): boolean {
  const newest = mtimeNs > ctimeNs ? mtimeNs : ctimeNs
  return size <= LARGEST_KEPT_BYTES && BigInt(Date.now()) * 1_000_000n - newest >= RESTED_NS
}

/** @param file  read whole, and the same before and after */
export function keep(key: string, file: KeptFile): void {
  drop(key)
  files.set(key, { ...file, key })
  keptBytes += file.bytes.byteLength
  while (keptBytes > MOST_KEPT_BYTES) drop(files.oldest()!.key)
}

function drop(key: string): void {
  keptBytes -= files.delete(key)?.bytes.byteLength ?? 0
}

export function isSame(one: BigIntStats, other: BigIntStats): boolean {
  return (
    one.ino === other.ino &&
    one.dev === other.dev &&
    one.size === other.size &&
    one.mtimeNs === other.mtimeNs &&
    one.ctimeNs === other.ctimeNs
  )
}
