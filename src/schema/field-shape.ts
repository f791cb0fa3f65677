// Which fields a schema declares for a query, headers, cookies, a path or a form, in all its forms together, and what it says of others.
import { headerName } from '../core/header-name.ts'
import { type Described, type Node, resolve } from './described.ts'

/** As the wire has them, in their order. */
export function wireNames({ fields }: FieldShape, isHeader: boolean): readonly string[] {
  const names = [...fields.keys()]
  return isHeader ? names.map(headerName) : names
}

const NONE: ReadonlySet<string> = new Set()

/** Those of its fields that are something, by the names that the wire has for them. */
export function namesOf(
  { fields }: FieldShape,
  names: readonly string[],
  is: (node: Node) => boolean,
): ReadonlySet<string> {
  const nodes = [...fields.values()]
  const those = names.filter((_, n) => is(nodes[n]!))
  return those.length > 0 ? new Set(those) : NONE
}

export interface FieldShape {
  /** Every field that some form of the schema declares. */
  readonly fields: ReadonlyMap<string, Node>
  /** What undeclared fields are, where the schema says it. */
  readonly rest: Node | undefined
  /** The schema has a say about undeclared fields. */
  readonly isOpen: boolean
  /** Nothing but `fields` is ever taken: no alternatives, and no word for others but a refusal. */
  readonly isExact: boolean
}

export function fieldShapeOf({ schema, components }: Described): FieldShape {
  const found = new Map<string, Node[]>()
  const isOpen = gather(schema, components, found, 0)
  const fields = new Map([...found].map(([name, nodes]) => [name, nodes.length === 1 ? nodes[0]! : { anyOf: nodes }]))
  const { additionalProperties, anyOf, oneOf } = resolve(schema, components)
  return {
    fields,
    isOpen,
    isExact: fields.size > 0 && !anyOf && !oneOf && (!isOpen || additionalProperties === false),
    rest: typeof additionalProperties === 'object' ? additionalProperties : undefined,
  }
}

function gather(node: Node, components: Described['components'], into: Map<string, Node[]>, depth: number): boolean {
  const at = resolve(node, components)
  for (const [name, field] of Object.entries(at.properties ?? {})) {
    const known = into.get(name)
    if (known) known.push(field)
    else into.set(name, [field])
  }
  const parts = depth < 16 ? [...(at.anyOf ?? []), ...(at.oneOf ?? []), ...(at.allOf ?? [])] : []
  const isOpen = parts.map(part => gather(part, components, into, depth + 1)).includes(true)
  return (
    isOpen ||
    at.properties === undefined ||
    at.additionalProperties !== undefined ||
    at['unevaluatedProperties'] !== undefined
  )
}
