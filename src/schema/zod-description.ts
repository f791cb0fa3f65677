// Describes a Zod schema. Our own walk over composite kinds, because the wire form of a response is neither of Zod's two
// directions: optional keys and defaults are those of the output, but at a codec the wire carries the codec's input.
// Leaves (strings, numbers, enums, ...) with all their checks are left to Zod's own converter.
import { UsageError } from '../core/error.ts'
import {
  componentName,
  type Described,
  FORM,
  type Held,
  HELD,
  LENIENT,
  type Node,
  REF,
  SECRET,
  TAG,
} from './described.ts'
import { isCodec, someInside, zodCore, type ZodDef, type ZodSchema } from './zod-library.ts'
import {
  annotations,
  compactUnion,
  describedByMeta,
  inputOptionality,
  isNever,
  isPrimitive,
  jsonOf,
  nullable,
  pathText,
  saysNothing,
  sizes,
  stringKeys,
} from './zod-nodes.ts'

/** ISO texts that Zod gives no format, because JSON Schema's asks for an offset. */
const FORMS: Readonly<Record<string, 'date-time' | 'time' | undefined>> = { datetime: 'date-time', time: 'time' }

/** What Zod would copy into each leaf is ours to put around it. */
let noMetadata: object | undefined

/** Kinds with no schema inside. */
const LEAVES = new Set(['string', 'number', 'boolean', 'null', 'any', 'unknown', 'never', 'literal', 'enum', 'file'])

export type Direction = 'input' | 'output'

/** @throws UsageError `SCHEMA_NOT_DESCRIBABLE`, naming `where` and the path inside the schema */
export function describeZod(schema: ZodSchema, direction: Direction, where: string): Described {
  const walk = new ZodWalk(direction, where)
  const node = walk.visit(schema)
  return { schema: node, components: walk.hasComponents ? walk.components : NONE }
}

/** Of the many schemas that name nothing. */
const NONE: Described['components'] = Object.freeze({})

class ZodWalk {
  readonly components: Record<string, Node> = {}
  hasComponents = false
  readonly #direction: Direction
  readonly #where: string
  readonly #core = zodCore()
  readonly #path: string[] = []
  /** Schemas that are components, or have turned out to be by meeting themselves inside. */
  readonly #names = new Map<ZodSchema, string>()
  readonly #open = new Set<ZodSchema>()
  /** Of Zod's converter. */
  #context: object | undefined

  constructor(direction: Direction, where: string) {
    this.#direction = direction
    this.#where = where
  }

  visit(schema: ZodSchema): Node {
    const meta = this.#core.globalRegistry.get(schema)
    const id = typeof meta?.['id'] === 'string' ? componentName(meta['id']) : undefined
    const known = this.#names.get(schema)
    if (known !== undefined) return { $ref: REF + known }
    if (this.#open.has(schema)) {
      // A recursive schema without an id needs a name to be referred to.
      const name = this.#freeName(typeof meta?.['title'] === 'string' ? componentName(meta['title']) : 'Recursive')
      this.#names.set(schema, name)
      return { $ref: REF + name }
    }
    if (id !== undefined) this.#names.set(schema, id)
    this.#open.add(schema)
    const built = this.#relative(schema) ?? this.#build(schema, meta)
    const node = meta === undefined ? built : { ...built, ...annotations(meta) }
    // What documents have for a secret: input fields that show dots.
    if (node[SECRET] && node.type === 'string') node.format ??= 'password'
    this.#open.delete(schema)
    const name = this.#names.get(schema)
    if (name === undefined) return node
    const taken = this.components[name]
    if (taken !== undefined && JSON.stringify(taken) !== JSON.stringify(node))
      throw new UsageError('SCHEMA_DUPLICATE_ID', `${this.#where}: two different schemas have the id "${name}"`)
    this.components[name] = node
    this.hasComponents = true
    return { $ref: REF + name }
  }

  /** `.describe()` and `.meta()` on a schema with an id make a copy without one: refer to the original, add what is new. */
  #relative(schema: ZodSchema): Node | undefined {
    const { parent, def } = schema._zod
    if (!parent || parent._zod.def.checks?.length !== def.checks?.length || parent._zod.def.type !== def.type)
      return undefined
    if (this.#core.globalRegistry.get(schema)?.['id'] !== undefined) return undefined
    return typeof this.#core.globalRegistry.get(parent)?.['id'] === 'string' ? this.visit(parent) : undefined
  }

  #build(schema: ZodSchema, meta: Readonly<Record<string, unknown>> | undefined): Node {
    const def = schema._zod.def
    switch (def.type) {
      case 'object':
        return this.#object(def)
      case 'array':
        return { type: 'array', items: this.#under('[]', def['element']), ...sizes(def, 'Items') }
      case 'set':
        return this.#set(def)
      case 'tuple':
        return this.#tuple(def)
      case 'record':
        return this.#record(schema, def)
      case 'union':
        return this.#union(def)
      case 'intersection':
        return this.#intersection(def)
      case 'nullable':
        return nullable(this.visit(def['innerType']))
      case 'default':
      case 'prefault':
        return this.#withDefault(def)
      case 'optional':
      case 'nonoptional':
      case 'readonly':
        return this.visit(def['innerType'])
      case 'catch':
        return { ...this.visit(def['innerType']), [LENIENT]: true }
      case 'lazy':
        return this.visit((def['getter'] as () => ZodSchema)())
      case 'pipe':
        return this.#pipe(schema, def)
      case 'date':
        return this.#held({ type: 'string', format: 'date-time' }, 'date', def)
      case 'bigint':
        return this.#held({ type: 'string', pattern: '^-?\\d+$' }, 'bigint', def)
      case 'undefined':
      case 'void':
        return { not: {} }
      case 'map':
        return this.#refuse('a Map has no JSON form; use z.record(), or a codec')
      case 'custom':
        return (
          describedByMeta(meta) ??
          this.#refuse(
            'z.custom() and z.instanceof() say nothing about JSON; add a JSON Schema with .meta({ type: ... }), or use a codec',
          )
        )
      case 'transform':
        return (
          describedByMeta(meta) ??
          this.#refuse('a transform says nothing about its result; declare it with .pipe(), or use a codec')
        )
      case 'symbol':
      case 'nan':
      case 'promise':
      case 'function':
      case 'success':
        return this.#refuse(`z.${def.type}() has no JSON form`)
      default:
        return this.#leaf(schema)
    }
  }

  /** z.coerce takes the text itself, and more forms of it than we would; only what leaves is ours to convert. */
  #held(node: Node, held: Held, def: ZodDef): Node {
    return this.#direction === 'input' && def['coerce'] === true ? node : { ...node, [HELD]: held }
  }

  #leaf(schema: ZodSchema): Node {
    try {
      const node = this.#converted(schema)
      const form = node['format'] === undefined ? FORMS[String(schema._zod.def['format'])] : undefined
      return form ? { ...node, [FORM]: form } : node
    } catch (error) {
      return this.#refuse((error as Error).message)
    }
  }

  /** By the half of Zod's converter that a leaf needs: the whole of it also makes a `~standard` on each, of 600 bytes. */
  #converted(schema: ZodSchema): Node {
    const { initializeContext, processSchema = this.#core.process, toJSONSchema } = this.#core
    const { def, processJSONSchema } = schema._zod
    const of = { io: this.#direction, metadata: (noMetadata ??= this.#core.registry()) }
    if (processSchema && processJSONSchema && LEAVES.has(def.type))
      return JSON.parse(JSON.stringify(processSchema(schema, (this.#context ??= initializeContext(of))))) as Node
    const { $schema: _, ...node } = toJSONSchema(schema, of)
    return node
  }

  #object(def: ZodDef): Node {
    const node: Node = { type: 'object', properties: {} }
    const required: string[] = []
    for (const [key, field] of Object.entries(def['shape'] as Record<string, ZodSchema>)) {
      const described = this.#under(key, field)
      if (isNever(described) && this.#isOptional(field)) continue
      Object.defineProperty(node.properties, key, {
        value: described,
        enumerable: true,
        configurable: true,
        writable: true,
      })
      // What may be anything may be undefined, and then the key does not leave.
      const mayBeUndefined = this.#direction === 'output' && saysNothing(described)
      if (!mayBeUndefined && !this.#isOptional(field)) required.push(key)
    }
    if (required.length > 0) node.required = required
    const catchall = def['catchall'] as ZodSchema | undefined
    // Closed only where the schema says strict. Zod's converter closes every output; clients generated from that break when a
    // key is added, and the two directions of every object would differ.
    if (catchall) node.additionalProperties = catchall._zod.def.type === 'never' ? false : this.#under('*', catchall)
    return node
  }

  #isOptional(field: ZodSchema): boolean {
    const { def, optout } = field._zod
    if (this.#direction === 'input') return inputOptionality(field) !== undefined
    return optout !== undefined || (def.type === 'pipe' && isCodec(field) && inputOptionality(def['in']) !== undefined)
  }

  #set(def: ZodDef): Node {
    const bounds = sizes(def, 'Items')
    const items = this.#under('[]', def['valueType'])
    // What is sent twice is in the set once. Where there must be several, repeats are not enough, and that has to be said. In an answer no text is
    // there twice, and no number; of objects a set may hold two that are equal.
    const isUnique = isPrimitive(items) && (this.#direction === 'output' || (bounds.minItems ?? 0) > 1)
    return {
      type: 'array',
      items,
      ...(isUnique && { uniqueItems: true }),
      ...bounds,
      [HELD]: 'set',
    }
  }

  #tuple(def: ZodDef): Node {
    const items = def['items'] as ZodSchema[]
    const node: Node = { type: 'array', prefixItems: items.map((item, n) => this.#under(String(n), item)) }
    const rest = def['rest'] as ZodSchema | null
    node.items = rest ? this.#under('[]', rest) : false
    let minItems = items.length
    while (minItems > 0 && this.#isOptional(items[minItems - 1]!)) minItems--
    if (minItems > 0) node.minItems = minItems
    if (!rest) node.maxItems = items.length
    return { ...node, ...sizes(def, 'Items') }
  }

  #record(schema: ZodSchema, def: ZodDef): Node {
    const names = stringKeys(this.#under('key', def['keyType']))
    const value = this.#under('*', def['valueType'])
    const isLoose = def['mode'] === 'loose'
    const node: Node = { type: 'object' }
    if (isLoose && typeof names.pattern === 'string') node.patternProperties = { [names.pattern]: value }
    else {
      if (Object.keys(names).some(keyword => keyword !== 'type')) node.propertyNames = names
      node.additionalProperties = value
    }
    const keys = (def['keyType'] as ZodSchema)._zod.values
    const isTotal = keys && !def['partial'] && schema._zod.def.type === 'record' && !this.#isOptional(def['valueType'])
    if (isTotal) node.required = [...keys].filter(key => typeof key === 'string' || typeof key === 'number').map(String)
    return node
  }

  #union(def: ZodDef): Node {
    const options = def['options'] as ZodSchema[]
    const members: { node: Node; option: ZodSchema }[] = []
    options.forEach((option, n) => {
      const node = this.#under(`|${n}`, option)
      if (!isNever(node)) members.push({ node, option })
    })
    const nodes = members.map(member => member.node)
    if (nodes.length === 0) return { not: {} }
    if (nodes.length === 1) return nodes[0]!
    const tag = def['discriminator'] as string | undefined
    if (tag === undefined && def['inclusive'] !== false) return compactUnion(nodes)
    const node: Node = { oneOf: nodes, ...(tag !== undefined && { [TAG]: tag }) }
    // OpenAPI's discriminator names components, so it can be given only when each member is one.
    if (tag !== undefined && nodes.every(member => member.$ref !== undefined)) {
      const mapping = members.flatMap(({ node, option }) =>
        [...(option._zod.propValues?.[tag] ?? [])].map(value => [String(value), node.$ref]),
      )
      node['discriminator'] = { propertyName: tag, mapping: Object.fromEntries(mapping) }
    }
    return node
  }

  #intersection(def: ZodDef): Node {
    const members = [this.#under('&0', def['left']), this.#under('&1', def['right'])].flatMap(node =>
      node.allOf && Object.keys(node).length === 1 ? node.allOf : [node],
    )
    // Zod pools the keys of both sides; JSON Schema's closed objects would each refuse the other's.
    const isClosed = members.every(member => member.additionalProperties === false)
    const open = members.map(member => {
      const { additionalProperties, ...rest } = member
      return additionalProperties === false ? rest : member
    })
    return { allOf: open, ...(isClosed ? { unevaluatedProperties: false } : {}) }
  }

  #withDefault(def: ZodDef): Node {
    const inner = def['innerType'] as ZodSchema
    const node = this.visit(inner)
    // A default holds an output, the description an input: past a pipe they differ. In a response nothing is filled in.
    if (
      this.#direction === 'output' ||
      (def.type === 'default' && someInside(inner, one => one._zod.def.type === 'pipe'))
    )
      return node
    const first = jsonOf(def['defaultValue'])
    // A default made by a function is another each time (an id, the time of day): nothing to document.
    if (first === undefined || first !== jsonOf(def['defaultValue'])) return node
    return { ...node, default: JSON.parse(first) as unknown }
  }

  #pipe(schema: ZodSchema, def: ZodDef): Node {
    const from = def['in'] as ZodSchema
    const to = def['out'] as ZodSchema
    if (this.#direction === 'input')
      return from._zod.def.type === 'transform' ? { ...this.visit(to), [LENIENT]: true } : this.visit(from)
    if (isCodec(schema)) return this.visit(from)
    if (from._zod.def.type === 'transform' || to._zod.def.type === 'transform')
      return this.#refuse(
        'a one-way transform cannot be turned back into what the wire carries; use z.codec(), or declare its result',
      )
    return this.visit(someInside(schema, isCodec) ? from : to)
  }

  #under(step: string, schema: ZodSchema): Node {
    this.#path.push(step)
    const node = this.visit(schema)
    this.#path.pop()
    return node
  }

  #refuse(why: string): never {
    const at = this.#path.length > 0 ? ` at ${pathText(this.#path)}` : ''
    throw new UsageError('SCHEMA_NOT_DESCRIBABLE', `${this.#where}: the schema cannot be described${at}: ${why}`)
  }

  #freeName(base: string): string {
    const used = new Set(this.#names.values())
    for (let n = 1; ; n++) if (!used.has(n === 1 ? base : `${base}${n}`)) return n === 1 ? base : `${base}${n}`
  }
}
