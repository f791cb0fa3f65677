// Schemas with a name, once per document: gathered from every route, and given their final names when all are known.
//
// A schema may look different to who sends it and to who receives it (a default makes a field optional to send and certain to get).
// Where it does, and both are in use, it becomes NAME-Input and NAME-Output, and so does everything that refers to it.
import { UsageError } from '../../core/error.ts'
import { describe } from '../../schema/json-schema.ts'
import type { Schema } from '../../schema/schema.ts'

export type Direction = 'input' | 'output'
export interface JsonObject {
  [key: string]: unknown
}

class Component {
  readonly schema: JsonObject
  /** The route and place that named it first. */
  readonly where: string
  #text: string | undefined
  #refs: ReadonlySet<string> | undefined

  constructor(schema: JsonObject, where: string) {
    this.schema = schema
    this.where = where
  }

  // Most names are used by one schema and in one direction, and are compared with nothing.

  /** With its keys in order, for comparison. */
  get text(): string {
    return (this.#text ??= canonical(this.schema))
  }

  /** Names of the components it refers to. */
  get refs(): ReadonlySet<string> {
    return (this.#refs ??= references(this.schema))
  }
}

const REF = '#/components/schemas/'
/** Stands in a $ref until `finish` knows the final names. */
const PENDING = 'millrace-pending:'

export class Components {
  readonly #named = { input: new Map<string, Component>(), output: new Map<string, Component>() }
  readonly #own = new Map<string, JsonObject>()
  readonly #separate: boolean
  /** Whether the document has a place for the schema of a stream's items: since OpenAPI 3.2. */
  readonly hasItems: boolean

  /** @param separate  false: what is received stands for what is sent, under one name */
  constructor(separate = true, hasItems = false) {
    this.#separate = separate
    this.hasItems = hasItems
  }

  /**
   * A schema as it stands in the document; its refs are good after `finish`.
   *
   * @throws UsageError `APP_COMPONENT_CLASH` for two different schemas of one name; that of `describe` for what has no JSON Schema
   */
  use(schema: Schema, asked: Direction, where: string): JsonObject {
    const direction = this.#separate ? asked : 'input'
    const described = describe(schema, direction, where)
    const names = this.#renamed(described.components, direction)
    for (const [name, component] of Object.entries(described.components))
      this.#add(names.get(name) ?? name, rewritten(component, names), direction, where)
    return pending(rewritten(described.schema, names), direction)
  }

  /** Follows a $ref of `use` to what it stands for. */
  resolve(schema: JsonObject): JsonObject {
    const { $ref } = schema
    if (typeof $ref !== 'string' || !$ref.startsWith(PENDING)) return schema
    const [direction, name] = $ref.slice(PENDING.length).split(':') as [Direction, string]
    const { $ref: _, ...beside } = schema
    const component = this.#named[direction].get(name)
    return component ? { ...pending(component.schema, direction), ...beside } : beside
  }

  /** A component of Millrace's own; steps aside when the application uses the name for something else. @returns a reference to it */
  own(name: string, schema: JsonObject): JsonObject {
    this.#own.set(name, schema)
    return { $ref: `${PENDING}own:${name}` }
  }

  /** Puts the final names into every $ref below `document`. @returns the components in use, sorted by name */
  finish(document: JsonObject): Readonly<Record<string, JsonObject>> {
    const split = this.#split()
    const used = new Map<string, JsonObject>()
    const taken = new Set([...this.#named.input.keys(), ...this.#named.output.keys()])
    const finalName = (direction: Direction | 'own', name: string): string => {
      if (direction !== 'own') return split.has(name) ? `${name}-${direction === 'input' ? 'Input' : 'Output'}` : name
      let free = name
      for (let n = 2; taken.has(free); n++) free = `${name}${n}`
      return free
    }
    const settled = (ref: string): string => {
      const [direction, name] = ref.slice(PENDING.length).split(':') as [Direction | 'own', string]
      const final = finalName(direction, name)
      if (!used.has(final)) {
        const component =
          direction === 'own'
            ? structuredClone(this.#own.get(name)!)
            : pending(this.#named[direction].get(name)?.schema ?? {}, direction)
        used.set(final, component)
        settle(component)
      }
      return REF + final
    }
    const settle = (node: unknown): void => {
      if (typeof node !== 'object' || node === null) return
      for (const [key, value] of Object.entries(node))
        if (typeof value === 'string' && value.startsWith(PENDING)) (node as JsonObject)[key] = settled(value)
        else settle(value)
    }
    settle(document)
    return Object.fromEntries([...used].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  // Recursive schemas without an id are called Recursive by `describe`, in every route again; they get numbers here.
  #renamed(components: Readonly<Record<string, JsonObject>>, direction: Direction): ReadonlyMap<string, string> {
    const names = new Map<string, string>()
    const known = this.#named[direction]
    for (const [name, component] of Object.entries(components)) {
      if (!/^Recursive\d*$/.test(name)) continue
      for (let n = 1; !names.has(name); n++) {
        const candidate = n === 1 ? name : `Recursive${n}`
        const before = known.get(candidate)
        if (!before || before.text === canonical(rewritten(component, new Map([[name, candidate]]))))
          names.set(name, candidate)
      }
    }
    return names
  }

  #add(name: string, schema: JsonObject, direction: Direction, where: string): void {
    const known = this.#named[direction]
    const before = known.get(name)
    if (!before) known.set(name, new Component(schema, where))
    else if (before.schema !== schema && before.text !== canonical(schema))
      throw new UsageError(
        'APP_COMPONENT_CLASH',
        `two different schemas are called ${name}: in ${before.where} and in ${where}; give one of them another id`,
      )
  }

  /** Names whose two sides differ, directly or through what they refer to. */
  #split(): ReadonlySet<string> {
    const { input, output } = this.#named
    const both = [...input].flatMap(([name, component]) => {
      const other = output.get(name)
      return other ? [{ name, component, other }] : []
    })
    const split = new Set(both.filter(({ component, other }) => component.text !== other.text).map(({ name }) => name))
    for (let before = -1; before !== split.size;) {
      before = split.size
      for (const { name, component } of both) if ([...component.refs].some(ref => split.has(ref))) split.add(name)
    }
    return split
  }
}

function pending(schema: JsonObject, direction: Direction): JsonObject {
  return withRefs(schema, name => `${PENDING}${direction}:${name}`)
}

function rewritten(schema: JsonObject, names: ReadonlyMap<string, string>): JsonObject {
  return names.size === 0 ? schema : withRefs(schema, name => REF + (names.get(name) ?? name))
}

function references(schema: JsonObject): ReadonlySet<string> {
  const found = new Set<string>()
  withRefs(schema, name => (found.add(name), name))
  return found
}

/** A copy, of what of it is JSON, with other references. They stand in `$ref`, and as values in a discriminator's mapping. */
function withRefs(schema: JsonObject, spell: (name: string) => string): JsonObject {
  return copied(schema, spell) as JsonObject
}

function copied(value: unknown, spell: (name: string) => string): unknown {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value
  if (typeof value === 'number' && Number.isFinite(value)) return value
  if (Array.isArray(value)) return value.map(item => copied(item, spell) ?? null)
  // Numbers that JSON has not, dates and the like, and what it refuses.
  if (!isPlain(value)) return JSON.parse(JSON.stringify(value) ?? 'null')
  const copy: JsonObject = {}
  for (const key of Object.keys(value)) {
    const of = value[key]
    if (of === undefined || typeof of === 'function' || typeof of === 'symbol') continue
    const inner = key === '$ref' && isRef(of) ? spell(of.slice(REF.length)) : copied(of, spell)
    const respelled = key === 'mapping' && isPlain(inner) ? mapped(inner, spell) : inner
    if (key === '__proto__')
      Object.defineProperty(copy, key, { value: respelled, enumerable: true, configurable: true, writable: true })
    else copy[key] = respelled
  }
  return copy
}

function mapped(mapping: JsonObject, spell: (name: string) => string): JsonObject {
  return Object.fromEntries(
    Object.entries(mapping).map(([tag, ref]) => [tag, isRef(ref) ? spell(ref.slice(REF.length)) : ref]),
  )
}

function isPlain(value: unknown): value is JsonObject {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return (prototype === Object.prototype || prototype === null) && typeof (value as JsonObject)['toJSON'] !== 'function'
}

function isRef(value: unknown): value is string {
  return typeof value === 'string' && value.startsWith(REF)
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
