// Turns what handlers hold into what MongoDB keeps, by a schema: validated, and a codec's output made its input.
import type { UsageError } from '../../core/error.ts'
import { describe } from '../../schema/json-schema.ts'
import { Failed, type Found } from '../../schema/outcome.ts'
import { kindOf, type Schema } from '../../schema/schema.ts'
import { compileValidator } from '../../schema/validator.ts'
import { isCodec, someInside, zodCore, type ZodSchema } from '../../schema/zod-library.ts'
import { DocumentError, misuse } from './errors.ts'

/**
 * @param what  'collection reviews, field rating', for messages
 * @throws DocumentError when the value does not fit
 */
export type Encode = (value: unknown, what: string) => unknown

/** @throws UsageError for a schema that cannot be described, or holds a one-way transform */
export function compileEncoder(schema: Schema, where: string): Encode {
  if (!holdsCodec(schema)) {
    const validate = compileValidator(schema, describe(schema, 'output', where), where)
    return (value, what) => settled(validate(value), `${what}: the value does not fit the schema`)
  }
  const core = zodCore()
  return (value, what) => {
    const result = (schema as unknown as ZodSchema)._zod.run(
      { value, issues: [] },
      { async: false, direction: 'backward' },
    )
    if (result instanceof Promise) throw asynchronous(what)
    if (result.issues.length === 0) return result.value
    const [first] = result.issues
    const { message } = core.util.finalizeIssue(first!, {}, core.config())
    const at = (first!.path ?? []).map(String).join('.')
    throw new DocumentError(`${what}: the value does not fit the schema: ${at === '' ? '' : `${at} `}${message}`)
  }
}

export function holdsCodec(schema: Schema): boolean {
  return kindOf(schema) === 'zod' && someInside(schema as unknown as ZodSchema, isCodec)
}

/** @param misfit  what is said, before what was found wrong */
export function settled(outcome: unknown, misfit: string): unknown {
  if (outcome instanceof Promise) throw asynchronous(misfit)
  if (outcome instanceof Failed) throw new DocumentError(`${misfit}: ${outcome.found.map(told).join('; ')}`)
  return outcome
}

function told({ path, msg }: Found): string {
  return path.length > 0 ? `${path.join('.')} ${msg}` : msg
}

function asynchronous(where: string): UsageError {
  return misuse('MONGO_SCHEMA', `${where}: a document cannot be validated asynchronously`)
}
