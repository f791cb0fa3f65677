// Whether a request may come without the body that its route declares.
import type { Schema } from '../../schema/schema.ts'

interface Standard {
  readonly validate: (value: unknown) => { readonly issues?: readonly unknown[] } | Promise<unknown>
}

/** True only for a schema that takes `undefined` without an issue and without waiting: `z.object({...}).optional()`. */
export function acceptsNothing(schema: Schema): boolean {
  const standard = (schema as { readonly '~standard'?: Standard })['~standard']
  if (!standard) return false
  try {
    const result = standard.validate(undefined)
    if (!(result instanceof Promise)) return result.issues === undefined || result.issues.length === 0
    result.catch(() => {})
    return false
  } catch {
    return false
  }
}
