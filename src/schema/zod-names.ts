// What Pydantic calls a type where it stands in a `loc`: the members of a union by their names, models by that of their class.
import { zodCore, type ZodSchema } from './zod-library.ts'

const NAMES: Readonly<Record<string, string>> = {
  boolean: 'bool',
  bigint: 'int',
  date: 'datetime',
  null: 'none',
  unknown: 'any',
  any: 'any',
  file: 'bytes',
}

export function pydanticName(schema: ZodSchema): string {
  const { def } = schema._zod
  const inner = (key: string) => pydanticName(def[key] as ZodSchema)
  switch (def.type) {
    case 'string':
      return hasRules(schema) ? 'constrained-str' : 'str'
    case 'number': {
      const name = [def['format'], ...(def.checks ?? []).map(check => check._zod.def['format'])].some(
        format => typeof format === 'string' && format.includes('int'),
      )
        ? 'int'
        : 'float'
      return hasRules(schema) ? `constrained-${name}` : name
    }
    case 'object':
      return idOf(schema) ?? 'Model'
    case 'array':
      return `list[${inner('element')}]`
    case 'set':
      return `set[${inner('valueType')}]`
    case 'record':
      return `dict[${inner('keyType')},${inner('valueType')}]`
    case 'tuple':
      return `tuple[${(def['items'] as ZodSchema[]).map(pydanticName).join(', ')}]`
    case 'literal':
      return `literal[${(def['values'] as unknown[]).map(value => (typeof value === 'string' ? `'${value}'` : String(value))).join(',')}]`
    case 'nullable':
      return `nullable[${inner('innerType')}]`
    case 'optional':
    case 'default':
    case 'prefault':
    case 'readonly':
    case 'catch':
    case 'nonoptional':
      return inner('innerType')
    case 'pipe':
      return inner('in')
    case 'lazy':
      return pydanticName((def['getter'] as () => ZodSchema)())
    default:
      return NAMES[def.type] ?? def.type
  }
}

function idOf(schema: ZodSchema): string | undefined {
  const meta = zodCore().globalRegistry.get(schema)
  const name = meta?.['id'] ?? meta?.['title']
  return typeof name === 'string' ? name : undefined
}

/** Bounds and patterns; the format of an integer is its type. */
function hasRules(schema: ZodSchema): boolean {
  return (schema._zod.def.checks ?? []).some(check => check._zod.def['check'] !== 'number_format')
}
