// Defaults that are made anew for each request: Zod copies the first level of a default, so a list inside it would be shared by all.
//
// What one handler pushes onto such a list every later request would find in it. The schema itself is mended, once, because its compiled
// parser reads the default from the same place.
import { someInside, type ZodSchema } from './zod-library.ts'

const mended = new WeakSet<object>()

export function freshenDefaults(schema: ZodSchema): void {
  someInside(schema, one => {
    const { def } = one._zod
    if ((def.type === 'default' || def.type === 'prefault') && !mended.has(def)) mend(def)
    return false
  })
}

function mend(def: object): void {
  mended.add(def)
  const made = Object.getOwnPropertyDescriptor(def, 'defaultValue')
  if (!made?.get || !made.configurable || !isShared(made.get(), made.get())) return
  const { get } = made
  Object.defineProperty(def, 'defaultValue', { ...made, get: () => copied(get()) })
}

/** Two defaults hold the very same object somewhere. A function that makes each anew does not. */
function isShared(one: unknown, other: unknown): boolean {
  if (!isPlain(one) || !isPlain(other)) return false
  const values = Object.values(one)
  const others = Object.values(other)
  return values.some((value, n) => isPlain(value) && (value === others[n] || isShared(value, others[n])))
}

/** Lists and plain objects; what has a class of its own is left as it is. */
function copied(value: unknown): unknown {
  if (!isPlain(value)) return value
  if (Array.isArray(value)) return value.map(copied)
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, copied(inner)]))
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
