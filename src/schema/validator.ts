// The one shape that validating takes, whichever library does it: the output, or what was found wrong.
import type { Described } from './described.ts'
import { jsonValidator } from './json-validator.ts'
import { kindOf, type Schema } from './schema.ts'
import { standardValidator } from './standard-validator.ts'
import type { ZodSchema } from './zod-library.ts'
import { zodValidator } from './zod-validator.ts'
import type { Outcome } from './outcome.ts'

/** Cost: no allocation of ours when the value is fine; libraries are compiled on first use, not at start-up. */
export type Validate = (value: unknown) => Outcome

export interface Validator {
  readonly validate: Validate
  readonly mayBeAsync: boolean
}

/** @param reading  'fastapi': what is told of a union is what each of its members says, as in Pydantic */
export function compileValidator(
  schema: Schema,
  described: Described,
  where: string,
  reading: 'strict' | 'fastapi' = 'strict',
): Validator {
  switch (kindOf(schema)) {
    case 'zod':
      return { validate: zodValidator(schema as unknown as ZodSchema, reading === 'fastapi'), mayBeAsync: true }
    case 'standard':
      return { validate: standardValidator(schema as Parameters<typeof standardValidator>[0]), mayBeAsync: true }
    default:
      return { validate: jsonValidator(described, where), mayBeAsync: false }
  }
}
