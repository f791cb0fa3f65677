// What a cache tells those who watch it: loads with their time, loads that failed, and what was invalidated. Through a diagnostics channel of
// Node's, so that a cache that nobody watches pays one check for each; hits and misses are counts, in `stats`.
import { channel } from 'node:diagnostics_channel'

export type CacheEvent =
  | { readonly kind: 'loaded'; readonly key: string; readonly tookMs: number }
  | { readonly kind: 'failed'; readonly key: string; readonly error: unknown }
  | { readonly kind: 'invalidated'; readonly entries: number }

/** As `millrace:cache` of node:diagnostics_channel gives it; keys may hold what clients sent. */
export type ToldCacheEvent = CacheEvent & { readonly cache: string }

const events = channel('millrace:cache')

/** @param cache  its name */
export function tell(cache: string, event: CacheEvent): void {
  if (events.hasSubscribers) events.publish({ cache, ...event } satisfies ToldCacheEvent)
}
