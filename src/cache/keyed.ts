// Typed keys: what is kept under a name, how a key becomes its value, and for how long, said once and in one place.
import type { Cache } from './cache.ts'
import type { CachePolicy } from './freshness.ts'

type KeyPart = string | number | bigint | boolean | null

/** One value, or several in order. */
export type CacheKey = KeyPart | readonly KeyPart[]

export interface KeyedPolicy<K extends CacheKey> extends Omit<CachePolicy, 'tags'> {
  readonly tags?: readonly string[] | ((key: K) => readonly string[])
}

export interface Keyed<K extends CacheKey, V> {
  /** @throws what `load` threw, and as `Cache.get` */
  get(key: K, of?: { readonly signal?: AbortSignal }): Promise<V>
  /** The value if it is here and fresh; no promise. */
  peek(key: K): V | undefined
  /** Drops it in all workers; see `Cache.delete`. */
  delete(key: K): Promise<void>
  /** What it is kept under in the cache. */
  keyOf(key: K): string
}

/**
 * Values of one kind in a cache, by keys with a type: key and value are those of `load`.
 *
 * @param name  keeps these keys apart from others of the cache
 * @param load  runs for a miss, once for all who ask meanwhile; see `Cache.get`
 * @example
 * const products = keyed(cache, 'product', (id: number) => findProduct(id), { ttl: '1m', tags: id => [`product:${id}`] })
 * const product = await products.get(7)
 */
export function keyed<K extends CacheKey, V>(
  cache: Cache,
  name: string,
  load: (key: K, of: { readonly signal: AbortSignal }) => V | Promise<V>,
  { tags = [], ...life }: KeyedPolicy<K>,
): Keyed<K, V> {
  const keyOf = (key: K): string =>
    `${name} ${typeof key === 'object' && key !== null ? JSON.stringify(key.map(textOf)) : textOf(key)}`
  const policyOf: (key: K) => CachePolicy =
    typeof tags === 'function' ? key => ({ ...life, tags: tags(key) }) : () => policy
  const policy: CachePolicy = typeof tags === 'function' ? life : { ...life, tags }
  return {
    keyOf,
    get: (key, of) => cache.get(keyOf(key), ({ signal }) => load(key, { signal }), policyOf(key), of),
    peek: key => cache.peek(keyOf(key)) as V | undefined,
    delete: key => cache.delete(keyOf(key)),
  }
}

/** Of different values never the same: the text '7' and the number 7 are two keys. */
function textOf(part: KeyPart | readonly KeyPart[]): string {
  if (typeof part === 'string') return JSON.stringify(part)
  return typeof part === 'bigint' ? `${part}n` : String(part)
}
