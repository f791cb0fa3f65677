// Converts the texts of a path, a query, headers or cookies into an object of the declared values, those that are there.
//
// Generated code where that is allowed, for the reason that copy-keys.ts gives: in a loop over names each value is put into its object as
// if no request had come before it. Names enter the text as JSON string literals and nothing else does. A query of three, two of them given
// (bench/micro/validate): 91 ns by the loop, 47 generated.
import type { Coerce, Failed } from './coerce.ts'

export interface Field {
  readonly name: string
  /** Its name on the wire. */
  readonly wire: string
  readonly coerce: Coerce
  readonly failed: Failed
}

export type Convert = (
  fields: Readonly<Record<string, string | readonly string[] | undefined>>,
) => Record<string, unknown>

// As in copy-keys.ts.
const MAX_GENERATED_FIELDS = 128

export function compileConversion(fields: readonly Field[], mayGenerate = true): Convert {
  if (!mayGenerate || fields.length > MAX_GENERATED_FIELDS) return loopedConversion(fields)
  try {
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the reason is at the top of this file
    const make = new Function('fields', 'put', conversionSource(fields)) as (
      of: readonly Field[],
      put: typeof putField,
    ) => Convert
    return make(fields, putField)
  } catch (error) {
    // What Node throws where code generation is not allowed.
    if (error instanceof EvalError) return loopedConversion(fields)
    throw error
  }
}

function loopedConversion(fields: readonly Field[]): Convert {
  return texts => {
    const values: Record<string, unknown> = {}
    for (const { name, wire, coerce, failed } of fields) {
      const text = texts[wire]
      if (text !== undefined) putField(values, name, coerce(text, failed))
    }
    return values
  }
}

/** The body of a function that makes the conversion. Exported for its snapshot test. */
export function conversionSource(fields: readonly Pick<Field, 'name' | 'wire'>[]): string {
  return [
    ...fields.map((_, n) => `const { coerce: c${n}, failed: f${n} } = fields[${n}]`),
    'return texts => {',
    '  const values = {}',
    ...fields.flatMap(({ name, wire }, n) => {
      const [key, value] = [JSON.stringify(name), `c${n}(t${n}, f${n})`]
      return [
        `  const t${n} = texts[${JSON.stringify(wire)}]`,
        `  if (t${n} !== undefined) ${name === '__proto__' ? `put(values, ${key}, ${value})` : `values[${key}] = ${value}`}`,
      ]
    }),
    '  return values',
    '}',
  ].join('\n')
}

/** Assignment that is safe for the one key to which plain assignment means something else. */
export function putField(values: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__')
    Object.defineProperty(values, name, { value, enumerable: true, configurable: true, writable: true })
  else values[name] = value
}
