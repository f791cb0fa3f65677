// Whether ajv is sure to compile a schema that its meta-schema takes: then that can wait until a value comes, and start-up does not pay
// a millisecond for each schema of routes that may never be asked.
//
// What ajv refuses beyond the meta-schema it refuses for a keyword that is not here, or for one of the rules below; a schema with anything
// else in it is compiled at start, where its mistakes belong. (test/schema/sure-to-compile.test.ts strews mistakes over both.)
import { type Described, type Node, REF } from './described.ts'
import { jsonOf } from './zod-nodes.ts'

/** Keywords that ajv takes with whatever value the meta-schema takes; and those that hold schemas. */
const KEYWORDS = new Set(
  `
  type const default title description examples example deprecated readOnly writeOnly
  minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength format
  minItems maxItems uniqueItems minProperties maxProperties required
  enum pattern $ref
  properties patternProperties additionalProperties propertyNames items prefixItems anyOf oneOf allOf not
  `
    .trim()
    .split(/\s+/),
)

/** Those whose values ajv writes into what it compiles. */
const VALUES = ['const', 'enum', 'default']

export function isSureToCompile({ schema, components }: Described): boolean {
  return [schema, ...Object.values(components)].every(node => isSure(node, components))
}

function isSure(node: unknown, components: Described['components']): boolean {
  if (typeof node === 'boolean') return true
  if (typeof node !== 'object' || node === null || Array.isArray(node)) return false
  const { enum: values, pattern, $ref, properties, patternProperties, ...rest } = node as Node
  return (
    Object.keys(node).every(keyword => KEYWORDS.has(keyword)) &&
    values?.length !== 0 &&
    VALUES.every(keyword => !(keyword in node) || jsonOf((node as Node)[keyword]) !== undefined) &&
    (pattern === undefined || isPattern(pattern)) &&
    ($ref === undefined ||
      (typeof $ref === 'string' && $ref.startsWith(REF) && Object.hasOwn(components, $ref.slice(REF.length)))) &&
    Object.keys(patternProperties ?? {}).every(isPattern) &&
    [
      ...Object.values(properties ?? {}),
      ...Object.values(patternProperties ?? {}),
      ...[rest.additionalProperties, rest.propertyNames, rest.items, rest.not].filter(part => part !== undefined),
      ...[rest.prefixItems, rest.anyOf, rest.oneOf, rest.allOf].flatMap(parts => parts ?? []),
    ].every(part => isSure(part, components))
  )
}

/** As ajv compiles it. */
function isPattern(source: string): boolean {
  try {
    new RegExp(source, 'u')
    return true
  } catch {
    return false
  }
}
