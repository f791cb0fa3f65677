// The one shape that validating takes, whichever library does it: the output, or what was found wrong.
import type { Described } from './described.ts'
import { freshenDefaults } from './fresh-defaults.ts'
import { jsonValidator, refuseBrokenJson } from './json-validator.ts'
import { boundMail } from './mail-length.ts'
import { kindOf, type Schema } from './schema.ts'
import { standardValidator } from './standard-validator.ts'
import type { ZodSchema } from './zod-library.ts'
import { zodValidator } from './zod-validator.ts'
import type { Outcome } from './outcome.ts'

/** Cost: no allocation of ours when the value is fine. */
export type Validate = (value: unknown) => Outcome

/**
 * What only the library that will validate knows to be wrong with a schema, told before it has compiled it. What of a schema of Zod's is mended
 * is mended here, so that it says the same before the first value and after it.
 *
 * @throws UsageError `SCHEMA_NOT_A_SCHEMA`
 */
export function refuseBroken(schema: Schema, described: Described, where: string): void {
  const kind = kindOf(schema)
  if (kind === 'json') refuseBrokenJson(described, where)
  if (kind !== 'zod') return
  freshenDefaults(schema as unknown as ZodSchema)
  boundMail(schema as unknown as ZodSchema)
}

/** @param reading  'fastapi': what is told of a union is what each of its members says, as in Pydantic */
export function compileValidator(
  schema: Schema,
  described: Described,
  where: string,
  reading: 'strict' | 'fastapi' = 'strict',
): Validate {
  switch (kindOf(schema)) {
    case 'zod':
      return zodValidator(schema as unknown as ZodSchema, reading === 'fastapi')
    case 'standard':
      return standardValidator(schema as Parameters<typeof standardValidator>[0])
    default:
      return jsonValidator(described, where)
  }
}
