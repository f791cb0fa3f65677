// The small steps of describing Zod: pure functions from what Zod says, or from described nodes, to nodes.
import { type Node, SECRET, typesOf } from './described.ts'
import type { ZodDef, ZodSchema } from './zod-library.ts'

/** `items[].price`, from `['items', '[]', 'price']`. */
export function pathText(path: readonly string[]): string {
  return path.join('.').replace(/\.(\[\]|\|\d+|&\d+)/g, '$1')
}

/** Whether a field may be absent on the wire. Transforms and catch accept absence at run time, but do not declare it. */
export function inputOptionality(field: ZodSchema): string | undefined {
  const def = field._zod.def
  if (def.type === 'pipe' && (def['in'] as ZodSchema)._zod.def.type === 'transform') return inputOptionality(def['out'])
  if (def.type === 'catch') return inputOptionality(def['innerType'])
  return field._zod.optin
}

export function sizes(def: ZodDef, of: 'Items'): Node {
  const node: Node = {}
  for (const { _zod } of def.checks ?? []) {
    const check = _zod.def
    const { minimum, maximum } = check
    const exact = check['length'] ?? check['size']
    if (typeof minimum === 'number') node[`min${of}`] = Math.max(minimum, node[`min${of}`] ?? 0)
    if (typeof maximum === 'number') node[`max${of}`] = Math.min(maximum, node[`max${of}`] ?? Infinity)
    if (typeof exact === 'number') node[`min${of}`] = node[`max${of}`] = exact
  }
  return node
}

export function isNever(node: Node): boolean {
  return node.not !== undefined && Object.keys(node.not).length === 0
}

const PRIMITIVES = new Set(['string', 'number', 'integer', 'boolean', 'null'])

/** Of nothing but values that are the same when they are equal. */
export function isPrimitive(node: Node): boolean {
  const types = typesOf(node)
  return types.length > 0 && types.every(type => PRIMITIVES.has(type))
}

export function saysNothing(node: Node): boolean {
  return !['$ref', 'type', 'const', 'enum', 'anyOf', 'oneOf', 'allOf', 'not'].some(keyword => keyword in node)
}

export function nullable(inner: Node): Node {
  if (typeof inner.type === 'string' && inner.const === undefined && inner.enum === undefined)
    return { ...inner, type: [inner.type, 'null'] }
  return { anyOf: [inner, { type: 'null' }] }
}

/** `anyOf` of bare types as one list of types, which readers show better. */
export function compactUnion(nodes: readonly Node[]): Node {
  const isBare = (node: Node) => typeof node.type === 'string' && Reflect.ownKeys(node).length === 1
  if (nodes.every(isBare)) return { type: [...new Set(nodes.map(node => node.type as string))] }
  return { anyOf: [...nodes] }
}

/** Keys of an object are strings: a numeric key schema becomes the text of its numbers. */
export function stringKeys(node: Node): Node {
  if (node.type === 'number' || node.type === 'integer')
    return { type: 'string', pattern: node.type === 'integer' ? '^-?\\d+$' : '^-?\\d+(?:\\.\\d+)?$' }
  return node
}

const DESCRIBES = ['type', '$ref', 'anyOf', 'oneOf', 'allOf', 'enum', 'const']

export function describedByMeta(meta: Readonly<Record<string, unknown>> | undefined): Node | undefined {
  return meta && DESCRIBES.some(keyword => keyword in meta) ? {} : undefined
}

/** What is there to be read by people, or is a mark of ours. */
const WORDS = new Set(['id', 'title', 'description', 'examples', 'example', 'deprecated', 'secret', 'format'])

/** Metadata that says more of a value than words do. */
export function saysMore(meta: Readonly<Record<string, unknown>> | undefined): boolean {
  return meta !== undefined && Object.keys(meta).some(key => !WORDS.has(key))
}

/** What .meta() and .describe() said, but for the id, which became the component's name, and a secret's mark. */
export function annotations(meta: Readonly<Record<string, unknown>> | undefined): Node {
  if (!meta) return {}
  const { id: _, secret, ...rest } = meta
  const text = jsonOf(rest)
  const said = text === undefined ? {} : (JSON.parse(text) as Node)
  return secret === true ? { ...said, [SECRET]: true } : said
}

/** undefined where the value has no JSON form (a bigint, a cycle). */
export function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}
