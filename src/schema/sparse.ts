// Leaves out of what is about to be written the keys that say nothing: null, and values that are their schema's default.
//
// Defaults belong to what is read, so they are found in the schema's description as an input, which is walked beside the other.
import { type Described, type Node, REF, resolve } from './described.ts'
import { fits } from './fits.ts'

/** A schema as it is written, and as it is read where defaults are to be left out. */
export interface Sparing {
  readonly nulls: boolean
  readonly output: Described
  readonly input: Described | undefined
}

type Prune = (value: unknown) => unknown

/** @returns a function from a JSON value, which is not changed, to what is left of it */
export function compilePrune({ nulls, output, input }: Sparing): Prune {
  const { components } = output
  const known = new Map<Node, Prune>()
  const compile = (node: Node, read: Node | undefined): Prune => {
    const at = resolve(node, components)
    const done = known.get(at)
    if (done) return done
    // Recursive schemas find the finished function when they run.
    known.set(at, value => known.get(at)!(value))
    const built = build(at, input && read && resolve(read, input.components))
    known.set(at, built)
    return built
  }
  const build = (node: Node, read: Node | undefined): Prune => {
    const members = node.anyOf ?? node.oneOf
    if (members) {
      const others = read?.anyOf ?? read?.oneOf
      const prunes = members.map((member, n) => ({ member, prune: compile(member, others?.[n]) }))
      return value => prunes.find(({ member }) => fits(member, value, components))?.prune(value) ?? value
    }
    if (node.allOf) {
      const prunes = node.allOf.map((part, n) => compile(part, read?.allOf?.[n]))
      return value => prunes.reduce((left, prune) => prune(left), value)
    }
    const properties = new Map(
      Object.entries(node.properties ?? {}).map(([key, property]) => [
        key,
        { prune: compile(property, read?.properties?.[key]), default: defaultOf(read?.properties?.[key], input) },
      ]),
    )
    const others = compileOne(node.additionalProperties, read?.additionalProperties)
    const items = compileOne(node.items, read?.items)
    const prefix = node.prefixItems?.map((item, n) => compile(item, read?.prefixItems?.[n]))
    // What may be anything is the application's own: it goes out as it is.
    if (properties.size === 0 && !others && !items && !prefix) return value => value
    return value => {
      if (typeof value !== 'object' || value === null) return value
      if (Array.isArray(value)) return value.map((item, n) => (prefix?.[n] ?? items)?.(item) ?? item)
      const left: [string, unknown][] = []
      for (const [key, field] of Object.entries(value)) {
        const property = properties.get(key)
        if (field === undefined || (nulls && field === null)) continue
        if (property?.default !== undefined && JSON.stringify(field) === property.default) continue
        left.push([key, (property?.prune ?? others)?.(field) ?? field])
      }
      return Object.fromEntries(left)
    }
  }
  const compileOne = (node: Node | boolean | undefined, read: Node | boolean | undefined) =>
    typeof node === 'object' ? compile(node, typeof read === 'object' ? read : undefined) : undefined
  return compile(output.schema, input?.schema)
}

/** The same for documents: keys that may be left out are not required, in components of another name. */
export function describeSparse({ nulls, output, input }: Sparing): Node {
  const { schema, components } = output
  const suffix = input === undefined ? 'WithoutNulls' : nulls ? 'Sparse' : 'WithoutDefaults'
  const visit = (part: unknown, read: unknown): unknown => {
    if (Array.isArray(part)) return part.map((one, n) => visit(one, Array.isArray(read) ? read[n] : undefined))
    if (typeof part !== 'object' || part === null) return part
    const beside = read as Node | undefined
    const node = Object.fromEntries(
      Object.entries(part).map(([key, value]) => [key, visit(value, beside?.[key])]),
    ) as Node
    if (typeof node.$ref === 'string') node.$ref = `#/$defs/${node.$ref.slice(REF.length)}-${suffix}`
    const { properties } = part as Node
    if (properties && Array.isArray(node.required)) {
      const mayBeAbsent = (key: string) =>
        defaultOf(beside?.properties?.[key], input) !== undefined ||
        (nulls && properties[key] !== undefined && isNullable(properties[key]))
      node.required = node.required.filter(key => !mayBeAbsent(key))
      if (node.required.length === 0) delete node.required
    }
    return node
  }
  // A value of any kind may be null without being a key that says nothing.
  const isNullable = (node: Node) => Object.keys(resolve(node, components)).length > 0 && fits(node, null, components)
  const named = Object.entries(components).map(([name, component]) => [
    `${name}-${suffix}`,
    visit(component, input?.components[name]),
  ])
  return {
    ...(visit(schema, input?.schema) as Node),
    ...(named.length > 0 ? { $defs: Object.fromEntries(named) as object } : {}),
  }
}

/** As JSON text, to be compared with. */
function defaultOf(node: Node | undefined, input: Described | undefined): string | undefined {
  if (!node || !input) return undefined
  const value = node.default ?? resolve(node, input.components).default
  return value === undefined ? undefined : JSON.stringify(value)
}
