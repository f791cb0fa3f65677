// Estimates how much memory a cached value takes, in time that does not grow with the value.
//
// It need not be exact: the bound it serves keeps a cache from eating the worker, it does no accounting. Long arrays and wide
// objects are sampled and scaled, and at most NODES values are looked at, so that a huge value costs no stall when it is stored.

/** At most 10 us for any value; 0.15 us for a product (bench/micro/cache-get). */
const NODES = 2_000
/** Elements looked at per array or object; the rest is assumed to be like them. */
const SAMPLE = 64
/** Object header with hidden class, properties and elements pointers, on 64-bit V8 without pointer compression. */
const OBJECT_BYTES = 32
const SLOT_BYTES = 8

/** @returns an estimate in bytes; buffers and strings count in full, functions and symbols as one slot */
export function approximateBytes(value: unknown): number {
  return measure(value, { left: NODES })
}

function measure(value: unknown, budget: { left: number }): number {
  if (typeof value === 'string') return SLOT_BYTES + 16 + value.length * 2
  if (typeof value === 'bigint') return SLOT_BYTES + 24
  if (typeof value !== 'object' || value === null || --budget.left < 0) return SLOT_BYTES
  if (ArrayBuffer.isView(value)) return OBJECT_BYTES * 3 + value.byteLength
  if (value instanceof ArrayBuffer) return OBJECT_BYTES * 2 + value.byteLength
  if (Array.isArray(value)) return OBJECT_BYTES + sampled(value, value.length, budget)
  if (value instanceof Map) return OBJECT_BYTES + 2 * sampled(first(value.entries()).flat(), value.size, budget)
  if (value instanceof Set) return OBJECT_BYTES + sampled(first(value.values()), value.size, budget)
  const keys = Object.keys(value)
  return (
    OBJECT_BYTES +
    sampled(
      keys.slice(0, SAMPLE).map(key => (value as Record<string, unknown>)[key]),
      keys.length,
      budget,
    )
  )
}

/** The elements at even distances, scaled to `count`. */
function sampled(elements: readonly unknown[], count: number, budget: { left: number }): number {
  const step = Math.max(1, Math.ceil(elements.length / SAMPLE))
  let bytes = 0
  let looked = 0
  for (let i = 0; i < elements.length; i += step, looked++) bytes += SLOT_BYTES + measure(elements[i], budget)
  return looked === 0 ? 0 : Math.ceil((bytes / looked) * count)
}

function first<T>(values: Iterable<T>): T[] {
  const taken: T[] = []
  for (const value of values) {
    taken.push(value)
    if (taken.length === SAMPLE) break
  }
  return taken
}
