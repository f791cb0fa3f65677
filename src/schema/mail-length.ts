// Mail addresses of a length that mail can be sent to: Zod and Ajv look at the letters alone, and documents say `format: email`.
//
// As everybody checks that format who reads a document, it has the bounds of RFC 5321 §4.5.3.1 in it: 64 characters before the @, 63 in each
// label behind it, 254 in all. What a client would refuse to send, or to take, a server has no use for either.
import { someInside, zodCore, type ZodSchema } from './zod-library.ts'

// In front of the pattern proper. Labels have no dots in them, so it takes linear time.
const BOUNDS = '^(?=[^@]{1,64}@(?:[^.@-](?:[^.@]{0,61}[^.@-])?\\.)+[^.@]{1,63}$)(?=.{1,254}$)'
const bounds = new RegExp(BOUNDS)

export function isOfMailLength(address: string): boolean {
  return bounds.test(address)
}

let bounded: RegExp | undefined

/**
 * `z.email()` wherever it is in a schema, unless it has a pattern of its own. The schema itself is mended, at start: its compiled parser reads the
 * pattern there.
 */
export function boundMail(schema: ZodSchema): void {
  someInside(schema, ({ _zod: { def } }) => {
    if (def['format'] === 'email') mend(def)
    for (const check of def.checks ?? []) if (check._zod.def['format'] === 'email') mend(check._zod.def)
    return false
  })
}

function mend(def: Readonly<Record<string, any>>): void {
  const { email } = zodCore().regexes
  if (def['pattern'] === email) (def as { pattern: RegExp }).pattern = bounded ??= new RegExp(BOUNDS + email.source)
}
