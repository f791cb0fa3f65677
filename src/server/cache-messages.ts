// What workers ask of the cache that their supervisor keeps for all of them, and what it answers. Plain JSON, several in one message.

/** As second-tier.ts has it, with its bytes in base64; null for more than the tier takes. */
export interface SentValue {
  readonly bytes: string | null
  readonly freshForMs: number
  readonly staleForMs: number
  readonly tags: readonly string[]
}

/** `id` is the asker's own number for what it asks; `token` names a lease. */
export type CacheAsk =
  | {
      readonly do: 'claim'
      readonly id: number
      readonly name: string
      readonly key: string
      readonly freshForMs?: number
    }
  /** Nobody waits for that claim any more. */
  | { readonly do: 'leave'; readonly id: number; readonly name: string; readonly key: string }
  | {
      readonly do: 'fulfil'
      readonly id: number
      readonly name: string
      readonly key: string
      readonly token: number
      readonly value: SentValue
    }
  | {
      readonly do: 'abandon'
      readonly name: string
      readonly key: string
      readonly token: number
      readonly failure?: { readonly message: string; readonly retryInMs: number }
    }
  | { readonly do: 'withdraw'; readonly name: string; readonly key: string; readonly token: number }
  | { readonly do: 'discard'; readonly name: string; readonly key: string }

export type CacheAnswer =
  | { readonly id: number; readonly state: 'found'; readonly value: SentValue }
  | { readonly id: number; readonly state: 'stale'; readonly value: SentValue; readonly token?: number }
  | { readonly id: number; readonly state: 'yours'; readonly token: number }
  /** Another worker loads it; said again every second. */
  | { readonly id: number; readonly state: 'held' }
  | { readonly id: number; readonly state: 'failed'; readonly message: string; readonly retryInMs: number }
  | { readonly id: number; readonly state: 'alone' }
  /** The end of a 'fulfil'. */
  | { readonly id: number; readonly state: 'ended'; readonly ending: 'stored' | 'fenced' | 'tooLarge' }
