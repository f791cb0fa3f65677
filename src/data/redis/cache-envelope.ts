// What is around a value in Redis: enough to tell ours from what others wrote, a whole one from a torn one, and a true one from one that
// was invalidated. Numbers are big-endian, as Lua's struct reads them with '>'.
//
//   0   3  'M' 'R' and the version          27  6  how long it may be served stale, ms
//   3  16  epoch of the fence               33  2  number of buckets
//   19  8  how far the fence had come       35     4 for each bucket: its tags and its own key
//   then   4 CRC-32 of all that follows, 4 length of the tags as JSON, the tags, the bytes
import { crc32 } from 'node:zlib'
import { packBuckets } from './cache-keys.ts'
import type { TierValue } from '../../cache/second-tier.ts'

/** Changes with the layout: of two releases that share a Redis each takes the other's values for none. */
export const MAGIC = Buffer.from([0x4d, 0x52, 1])
const HEAD_BYTES = 35
/** Of a value that is kept for ever: what six bytes count to, 8,900 years. */
export const LONGEST_LIFE_MS = 2 ** 48 - 1
/** One that is served stale for as long is fresh before that all the same. */
const LONGEST_STALE_MS = 2 ** 47

/** Where the fence was when a lease was given. */
export interface FencePoint {
  /** 16 bytes. */
  readonly epoch: Buffer
  readonly sequence: number
}

export function seal(value: TierValue, since: FencePoint, buckets: readonly number[]): Buffer {
  const tags = Buffer.from(JSON.stringify(value.tags))
  const body = HEAD_BYTES + buckets.length * 4
  const sealed = Buffer.allocUnsafe(body + 8 + tags.length + value.bytes.byteLength)
  MAGIC.copy(sealed)
  since.epoch.copy(sealed, 3)
  sealed.writeBigUInt64BE(BigInt(since.sequence), 19)
  sealed.writeUIntBE(Math.min(Math.round(value.staleForMs), LONGEST_STALE_MS), 27, 6)
  sealed.writeUInt16BE(buckets.length, 33)
  packBuckets(buckets).copy(sealed, HEAD_BYTES)
  sealed.writeUInt32BE(tags.length, body + 4)
  tags.copy(sealed, body + 8)
  sealed.set(value.bytes, body + 8 + tags.length)
  sealed.writeUInt32BE(crc32(sealed.subarray(body + 4)), body)
  return sealed
}

/**
 * @param leftMs  until Redis forgets it
 * @returns undefined for what `seal` did not make, or not whole
 */
export function unseal(sealed: Buffer, leftMs: number): TierValue | undefined {
  if (sealed.length < HEAD_BYTES || !sealed.subarray(0, 3).equals(MAGIC)) return undefined
  const body = HEAD_BYTES + sealed.readUInt16BE(33) * 4
  if (sealed.length < body + 8 || sealed.readUInt32BE(body) !== crc32(sealed.subarray(body + 4))) return undefined
  const tagsEnd = body + 8 + sealed.readUInt32BE(body + 4)
  if (tagsEnd > sealed.length) return undefined
  const tags = tagsOf(sealed.toString('utf8', body + 8, tagsEnd))
  if (tags === undefined) return undefined
  const staleMs = sealed.readUIntBE(27, 6)
  const freshForMs = Math.max(0, leftMs - staleMs)
  return {
    bytes: sealed.subarray(tagsEnd),
    tags,
    freshForMs,
    staleForMs: leftMs - freshForMs,
  }
}

function tagsOf(text: string): readonly string[] | undefined {
  try {
    const tags = JSON.parse(text) as unknown
    return Array.isArray(tags) && tags.every(tag => typeof tag === 'string') ? tags : undefined
  } catch {
    return undefined
  }
}
