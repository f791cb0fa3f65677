// Where the cache's things lie in Redis, and how tags become places in a fence.
//
//   PREFIX:{0}:fence        how far invalidations have come, in all and for each bucket of tags; see cache-scripts.ts
//   PREFIX:{0}:v:NAME:KEY   a value in its envelope
//   PREFIX:{0}:l:NAME:KEY   the lease of who loads it
//   PREFIX:{0}:p:NAME:KEY   a pause: its load failed, or it was too large
//
// {0} is a partition: all that one script touches lies on one node of a cluster. A cluster has several, so that its nodes share the work.
import { crc32 } from 'node:zlib'
import { UsageError } from '../../core/error.ts'

/** 8 bytes each, 1 MiB for a partition. Two tags that share a bucket invalidate each other: a load too many, never a value too old. */
const BUCKETS = 2 ** 17
/** Enough for the nodes of most clusters to have one, few enough that an invalidation, which goes to all, stays small. */
const CLUSTER_PARTITIONS = 16

export interface Place {
  readonly partition: number
  /** fence, value, lease, pause. */
  readonly keys: readonly [string, string, string, string]
  /** What its key is in the fence. */
  readonly bucket: number
}

export class CacheKeys {
  readonly partitions: number
  readonly #prefix: string

  /** @throws UsageError `REDIS_CACHE_PREFIX` */
  constructor(prefix: string, isCluster: boolean) {
    if (prefix === '' || /[{}]/.test(prefix))
      throw new UsageError(
        'REDIS_CACHE_PREFIX',
        `${JSON.stringify(prefix)} cannot stand before the cache's keys; take a word without braces, such as the name of the app`,
      )
    this.#prefix = prefix
    this.partitions = isCluster ? CLUSTER_PARTITIONS : 1
  }

  fence(partition: number): string {
    return `${this.#prefix}:{${partition}}:fence`
  }

  /** Channels of all processes, or of one. */
  channel(name: 'invalidate' | 'ended', of?: undefined): string
  channel(name: 'pulse' | 'ack', of: string): string
  channel(name: string, of?: string): string {
    return `${this.#prefix}:{0}:${name}${of === undefined ? '' : `:${of}`}`
  }

  place(name: string, key: string): Place {
    // Halves of a pair are all the same in UTF-8. '!"' stands in no other: names have neither as it is.
    const id = `${encodeURIComponent(name)}${key.isWellFormed() ? `:${key}` : `!${JSON.stringify(key)}`}`
    const hash = crc32(id)
    const partition = hash % this.partitions
    const at = `${this.#prefix}:{${partition}}`
    return {
      partition,
      keys: [this.fence(partition), `${at}:v:${id}`, `${at}:l:${id}`, `${at}:p:${id}`],
      bucket: bucketOf(`k${id}`),
    }
  }
}

/** @returns 4 bytes for each, as scripts read them */
export function packBuckets(buckets: readonly number[]): Buffer {
  const packed = Buffer.allocUnsafe(buckets.length * 4)
  buckets.forEach((bucket, n) => packed.writeUInt32BE(bucket, n * 4))
  return packed
}

export function tagBuckets(tags: readonly string[]): number[] {
  return tags.map(tag => bucketOf(`t${tag}`))
}

function bucketOf(text: string): number {
  return crc32(text) & (BUCKETS - 1)
}
