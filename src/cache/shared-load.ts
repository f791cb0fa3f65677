// One load among many processes: asks the second tier for the value, or for the right to load it, and hands in what the load brought.
//
// The tier decides who loads; this decides what that means for those who wait here. Whatever the tier does, a value comes or the load's own
// error: a tier that is out of reach costs its bound once, and no request.
import { loadFailed, LoadFailedError } from './errors.ts'
import type { Claim, Lease, SecondTier, TierValue } from './second-tier.ts'
import type { Load } from './single-flight.ts'
import type { ValueCodec } from './value-codec.ts'

export interface SharedLoad<T> {
  readonly tier: SecondTier
  /** Of the cache; keys are unique within it. */
  readonly name: string
  readonly key: string
  readonly codec: ValueCodec
  readonly load: Load<T>
  readonly signal: AbortSignal
  /** It is to take the place of another value, rather than to find one. */
  readonly reload: Reload | undefined
  /** The lease that an earlier claim was given, to be used now. */
  readonly lease: Lease | undefined
}

export interface Reload {
  /** A value must be as fresh to be of use. */
  readonly freshForMs: number
  /** There is an older one to serve meanwhile. */
  readonly isServed: boolean
}

/** `lease`: end it, by `handIn`. */
export type Brought<T> =
  | { readonly from: 'load'; readonly value: T; readonly lease: Lease | undefined }
  /** `lease`: the value is stale, and a new one is ours to load. */
  | { readonly from: 'tier'; readonly value: T; readonly found: TierValue; readonly lease: Lease | undefined }

/** How long a value may be kept, in milliseconds from now, as a TierValue has it. */
export type Life = Pick<TierValue, 'freshForMs' | 'staleForMs'>

/** The source is asked again for a key that nobody can serve after so long: enough to tell all who wait now, and no pause for who comes later. */
const RETRY_UNSERVED_MS = 100
/** And after so long where an older value is served meanwhile. */
export const RETRY_MS = 1_000

/** @throws what `load` throws; LoadFailedError where another process's load has; the reason of the signal */
export async function sharedLoad<T>(of: SharedLoad<T>): Promise<Brought<T>> {
  if (of.lease) return loadWith(of, of.lease)
  const { tier, name, key, signal, reload, codec } = of
  // The second time round there is nothing to be found that could not be read: it has been discarded.
  for (let attempt = 0; attempt < 2; attempt++) {
    const claim = await tier.claim(name, key, { signal, ...(reload && { freshForMs: reload.freshForMs }) })
    switch (claim.state) {
      case 'yours':
        return loadWith(of, claim.lease)
      case 'failed':
        throw loadFailed(claim.message, claim.retryInMs)
      case 'alone':
        return { from: 'load', value: await of.load({ signal }), lease: undefined }
      case 'found':
      case 'stale': {
        const lease = claim.state === 'stale' ? claim.lease : undefined
        if (lease && reload) return reload.isServed ? loadWith(of, lease) : loadBefore(of, lease, claim)
        const read = decoded<T>(codec, claim)
        if (read) return { from: 'tier', value: read.value, found: claim.value, lease }
        if (lease) return loadWith(of, lease)
        await tier.discard(name, key)
      }
    }
  }
  return { from: 'load', value: await of.load({ signal }), lease: undefined }
}

/** The older value is for who has waited for a load that failed: here there is no other. */
async function loadBefore<T>(
  of: SharedLoad<T>,
  lease: Lease,
  older: Claim & { state: 'found' | 'stale' },
): Promise<Brought<T>> {
  try {
    return await loadWith(of, lease)
  } catch (error) {
    const read = of.signal.aborted || isDecided(error) ? undefined : decoded<T>(of.codec, older)
    if (read === undefined) throw error
    return { from: 'tier', value: read.value, found: older.value, lease: undefined }
  }
}

async function loadWith<T>({ load, signal, reload }: SharedLoad<T>, lease: Lease): Promise<Brought<T>> {
  // Given up, by all who waited or for want of time: the next may try, without waiting for the end of what may never end.
  const givenUp = () => void lease.abandon()
  signal.addEventListener('abort', givenUp, { once: true })
  try {
    return { from: 'load', value: await load({ signal }), lease }
  } catch (error) {
    if (isGone(error)) void lease.withdraw()
    else if (!signal.aborted)
      void lease.abandon(
        isDecided(error)
          ? undefined
          : { message: messageOf(error), retryInMs: reload?.isServed === true ? RETRY_MS : RETRY_UNSERVED_MS },
      )
    throw error
  } finally {
    signal.removeEventListener('abort', givenUp)
  }
}

/**
 * Ends the lease with the value, or without one where it is for nobody else.
 *
 * @param life  undefined: it was invalidated during its load
 */
export function handIn(
  lease: Lease,
  codec: ValueCodec,
  value: unknown,
  tags: readonly string[],
  life: Life | undefined,
): void {
  if (life === undefined) return void lease.abandon()
  const bytes = life.freshForMs > 0 ? encoded(codec, value) : undefined
  if (bytes === undefined) return void lease.withdraw()
  void lease.fulfil({ bytes, ...life, tags })
}

/** A codec that fails says as much as one that gives nothing: alone, with nobody to hand it to, the value would be kept as well. */
function encoded(codec: ValueCodec, value: unknown): Uint8Array | undefined {
  try {
    return codec.encode(value)
  } catch {
    return undefined
  }
}

function decoded<T>(codec: ValueCodec, claim: Claim & { state: 'found' | 'stale' }): { value: T } | undefined {
  try {
    return { value: codec.decode(claim.value.bytes) as T }
  } catch {
    return undefined
  }
}

/** By the handler or by rules, and not for want of a source: the next to ask may be told something else. */
function isDecided(error: unknown): boolean {
  if (error instanceof LoadFailedError) return false
  const status = statusOf(error)
  return status !== undefined && status >= 400 && status <= 499
}

/** Its source has answered, and there is nothing any more: 404 or 410. What was there is not to be served for that. */
export function isGone(error: unknown): boolean {
  const status = statusOf(error)
  return status === 404 || status === 410
}

function statusOf(error: unknown): number | undefined {
  const status = typeof error === 'object' && error !== null ? (error as { status?: unknown }).status : undefined
  return typeof status === 'number' ? status : undefined
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 500)
}
