// Lays what an author says over what was made of their routes.

/**
 * Objects by key, lists one behind the other; anything else is replaced. `into` is changed, and returned.
 *
 * @param over  taken as it is: shared with the result
 */
export function merged<T extends object>(into: T, over: Readonly<Record<string, unknown>>): T {
  const target = into as Record<string, unknown>
  for (const [key, value] of Object.entries(over)) {
    const before = Object.hasOwn(target, key) ? target[key] : undefined
    if (isObject(before) && isObject(value)) target[key] = merged({ ...before }, value)
    else if (Array.isArray(before) && Array.isArray(value))
      target[key] = [...(before as unknown[]), ...(value as unknown[])]
    else Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true })
  }
  return into
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
