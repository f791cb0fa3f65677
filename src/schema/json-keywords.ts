// Which keys a JSON Schema may have, and what was probably meant by others: every one of them would be a check that never runs.
import { didYouMean } from '../core/nearest-name.ts'
import { kindOf } from './schema.ts'

/** JSON Schema 2020-12, its formats as ajv-formats bounds them, and what OpenAPI 3.1 adds. Also the two names of $defs. */
const KEYWORDS: ReadonlySet<string> = new Set(
  `
  $schema $id $ref $anchor $dynamicRef $dynamicAnchor $vocabulary $comment $defs definitions
  allOf anyOf oneOf not if then else dependentSchemas
  prefixItems items contains properties patternProperties additionalProperties propertyNames unevaluatedItems unevaluatedProperties
  type enum const multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern
  maxItems minItems uniqueItems maxContains minContains maxProperties minProperties required dependentRequired
  format formatMaximum formatMinimum formatExclusiveMaximum formatExclusiveMinimum contentEncoding contentMediaType contentSchema
  title description default deprecated readOnly writeOnly examples
  discriminator xml externalDocs example nullable
  `
    .trim()
    .split(/\s+/),
)

/** @returns why this object, written where a JSON Schema is expected, is none, and the way out; undefined when it may be one */
export function misreadAsJson(part: object): string | undefined {
  const keys = Object.keys(part).filter(key => !key.startsWith('~') && !key.startsWith('x-'))
  const valueOf = (key: string): unknown => (part as Record<string, unknown>)[key]
  const holders = keys.filter(key => isOfLibrary(valueOf(key)))
  if (holders.length > 0)
    return `it is an object that holds schemas (${holders.join(', ')}), not a schema; wrap it in z.object({ ... }), or what its library has for objects`
  const unknown = keys.filter(key => !KEYWORDS.has(key))
  const [first] = unknown
  if (first === undefined) return undefined
  if (unknown.length < keys.length || didYouMean(first, KEYWORDS) !== '')
    return `${first} is no keyword of JSON Schema${didYouMean(first, KEYWORDS) || '; an annotation of your own begins with x-'}`
  return (
    `it has no keyword of JSON Schema, only ${unknown.join(', ')}; for an object with such properties write ` +
    `z.object({ ${first}: z.string() }) or { type: 'object', properties: { ${first}: { type: 'string' } } }`
  )
}

/** Zod 3 and older have neither slot that schemas are told by today, or only the second. */
export function isOldZod(schema: object): boolean {
  return !('_zod' in schema) && '_def' in schema && 'safeParse' in schema
}

function isOfLibrary(value: unknown): boolean {
  const kind = kindOf(value)
  return kind === 'zod' || kind === 'standard' || (kind === 'json' && isOldZod(value as object))
}
