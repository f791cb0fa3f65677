// Schemas with a name, once per document: gathered from every route, and given their final names when all are known.
//
// A schema may look different to who sends it and to who receives it (a default makes a field optional to send and certain to get).
// Where it does, and both are in use, it becomes NAME-Input and NAME-Output, and so does everything that refers to it.
import { UsageError } from '../../core/error.ts'
import { describe } from '../../schema/json-schema.ts'
import type { Schema } from '../../schema/schema.ts'
import { componentName } from './names.ts'

export type Direction = 'input' | 'output'
export interface JsonObject {
  [key: string]: unknown
}

interface Component {
  readonly schema: JsonObject
  /** With its keys in order, for comparison. */
  readonly text: string
  /** The route and place that named it first. */
  readonly where: string
  /** Names of the components it refers to. */
  readonly refs: ReadonlySet<string>
}

const REF = '#/components/schemas/'
/** Stands in a $ref until `finish` knows the final names. */
const PENDING = 'millrace-pending:'

export class Components {
  readonly #named = { input: new Map<string, Component>(), output: new Map<string, Component>() }
  readonly #own = new Map<string, JsonObject>()

  /**
   * A schema as it stands in the document; its refs are good after `finish`.
   *
   * @throws UsageError `APP_COMPONENT_CLASH` for two different schemas of one name; that of `describe` for what has no JSON Schema
   */
  use(schema: Schema, direction: Direction, where: string): JsonObject {
    const { schema: described, components } = describe(schema, direction, where)
    for (const [name, component] of Object.entries(components))
      this.#add(name, component as JsonObject, direction, where)
    return pending(described as JsonObject, direction)
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
    const settle = (node: unknown): void => {
      if (Array.isArray(node)) return node.forEach(settle)
      if (typeof node !== 'object' || node === null) return
      const object = node as JsonObject
      const { $ref } = object
      if (typeof $ref === 'string' && $ref.startsWith(PENDING)) {
        const [direction, name] = $ref.slice(PENDING.length).split(':') as [Direction | 'own', string]
        const final = finalName(direction, name)
        object['$ref'] = REF + final
        if (!used.has(final)) {
          const component =
            direction === 'own'
              ? structuredClone(this.#own.get(name)!)
              : pending(this.#named[direction].get(name)?.schema ?? {}, direction)
          used.set(final, component)
          settle(component)
        }
      }
      for (const [key, value] of Object.entries(object)) if (key !== '$ref') settle(value)
    }
    settle(document)
    return Object.fromEntries([...used].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  #add(name: string, schema: JsonObject, direction: Direction, where: string): void {
    const clean = componentName(name)
    const known = this.#named[direction]
    const before = known.get(clean)
    const text = canonical(schema)
    if (!before) known.set(clean, { schema, text, where, refs: references(schema) })
    else if (before.text !== text)
      throw new UsageError(
        'APP_COMPONENT_CLASH',
        `two different schemas are called ${clean}: in ${before.where} and in ${where}; give one of them another id`,
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
  return JSON.parse(JSON.stringify(schema), (key, value: unknown) =>
    key === '$ref' && typeof value === 'string' && value.startsWith(REF)
      ? `${PENDING}${direction}:${componentName(refName(value))}`
      : value,
  ) as JsonObject
}

function references(schema: JsonObject): ReadonlySet<string> {
  const found = new Set<string>()
  JSON.stringify(schema, (key, value: unknown) => {
    if (key === '$ref' && typeof value === 'string' && value.startsWith(REF)) found.add(componentName(refName(value)))
    return value
  })
  return found
}

// A ref is a URI with a JSON pointer in it: '~1' and percent-encoding may both stand in a name.
function refName(ref: string): string {
  const text = ref.slice(REF.length)
  try {
    return decodeURIComponent(text).replaceAll('~1', '/').replaceAll('~0', '~')
  } catch {
    return text
  }
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
