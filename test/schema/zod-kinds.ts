// Arbitrary Zod schemas, each with values that fit it, junk strewn in, and an independent account of what must remain.
import fc from 'fast-check'
import * as z from 'zod'

/** A schema, values that fit it with junk strewn in, and what must remain of them. */
export interface Kind {
  readonly schema: z.ZodType
  readonly value: fc.Arbitrary<unknown>
  readonly keep: (value: any) => unknown
}
const same = (value: unknown) => value
const leaf: fc.Arbitrary<Kind> = fc.constantFrom<Kind>(
  { schema: z.string(), value: fc.string({ unit: 'binary' }), keep: same },
  { schema: z.int(), value: fc.maxSafeInteger(), keep: same },
  { schema: z.number(), value: fc.double({ noNaN: true, noDefaultInfinity: true }), keep: same },
  { schema: z.boolean(), value: fc.boolean(), keep: same },
  { schema: z.enum(['a', 'b']), value: fc.constantFrom('a', 'b'), keep: same },
  { schema: z.string().nullable(), value: fc.option(fc.string()), keep: same },
  {
    schema: z.date(),
    value: fc.date({
      noInvalidDate: true,
      min: new Date('0000-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59.999Z'),
    }),
    keep: (date: Date) => date.toISOString(),
  },
  { schema: z.bigint(), value: fc.bigInt(), keep: String },
  {
    schema: z.set(z.int()),
    value: fc.array(fc.integer()).map(list => new Set(list)),
    keep: (set: Set<number>) => [...set],
  },
  { schema: z.unknown(), value: fc.jsonValue({ maxDepth: 2 }), keep: same },
)
const names = fc.uniqueArray(
  fc.oneof(
    fc.constantFrom('id', 'name', '__proto__', 'constructor', '0', 'a"b', 'é\u2028'),
    fc.string({ maxLength: 5 }),
  ),
  { maxLength: 5 },
)

function objectOf(keys: string[], kinds: Kind[], optional: boolean[]): Kind {
  const shape: Record<string, z.ZodType> = Object.create(null) as Record<string, z.ZodType>
  keys.forEach((key, n) => (shape[key] = optional[n] ? kinds[n]!.schema.optional() : kinds[n]!.schema))
  const fields = fc.tuple(
    ...kinds.map((kind, n) => (optional[n] ? fc.option(kind.value, { nil: undefined }) : kind.value)),
  )
  const junk = fc.dictionary(
    fc.string({ maxLength: 5 }).map(key => `junk ${key}`),
    fc.anything({ maxDepth: 1 }),
    { maxKeys: 2 },
  )
  return {
    schema: z.object(shape),
    value: fc.tuple(fields, junk).map(([values, extra]) => {
      const object = { ...extra }
      keys.forEach((key, n) => {
        if (values[n] !== undefined)
          Object.defineProperty(object, key, { value: values[n], enumerable: true, configurable: true, writable: true })
      })
      return object
    }),
    keep: (value: Record<string, unknown>) => {
      const kept = Object.create(null) as Record<string, unknown>
      keys.forEach((key, n) => {
        if (Object.hasOwn(value, key) && value[key] !== undefined) kept[key] = kinds[n]!.keep(value[key])
      })
      return kept
    },
  }
}

export const { kind } = fc.letrec<{ kind: Kind; object: Kind }>(tie => ({
  kind: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    leaf,
    tie('object'),
    tie('kind').map<Kind>(of => ({
      schema: z.array(of.schema),
      value: fc.array(of.value, { maxLength: 3 }),
      keep: (list: unknown[]) => list.map(of.keep),
    })),
    tie('object').map<Kind>(of => ({
      schema: of.schema.nullable(),
      value: fc.option(of.value),
      keep: value => (value === null ? null : of.keep(value)),
    })),
    tie('kind').map<Kind>(of => ({
      schema: z.record(z.string(), of.schema),
      value: fc.dictionary(
        fc.string({ maxLength: 4 }).map(key => `k${key}`),
        of.value,
        { maxKeys: 3 },
      ),
      keep: (record: Record<string, unknown>) =>
        Object.fromEntries(Object.entries(record).map(([key, value]) => [key, of.keep(value)])),
    })),
  ),
  object: names.chain(keys =>
    fc
      .tuple(
        fc.array(tie('kind'), { minLength: keys.length, maxLength: keys.length }),
        fc.array(fc.boolean(), { minLength: keys.length, maxLength: keys.length }),
      )
      .map(([kinds, optional]) => objectOf(keys, kinds, optional)),
  ),
}))
