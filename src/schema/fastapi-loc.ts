// Where FastAPI says that something is wrong: the path to it, with the members of unions that Pydantic went through.
import { type Described, type Node, resolve, TAG, typesOf } from './described.ts'
import type { Found } from './outcome.ts'

/** @param value  the whole input */
export function fastapiLoc({ schema, components }: Described, value: unknown, found: Found): (string | number)[] {
  const loc: (string | number)[] = []
  let node: Node | undefined = schema
  let at = value
  found.path.forEach((step, n) => {
    for (const member of found.members ?? []) if (member.at === n) loc.push(member.name)
    const chosen = node && choose(node, at, components)
    if (chosen?.tag !== undefined) loc.push(chosen.tag)
    loc.push(step)
    node = chosen && inside(chosen.node, step, components)
    at =
      typeof at === 'object' && at !== null && Object.hasOwn(at, step)
        ? (at as Record<string | number, unknown>)[step]
        : undefined
  })
  for (const member of found.members ?? []) if (member.at === found.path.length) loc.push(member.name)
  return loc
}

/** Through what is no member of its own: references, null beside one other, and the member that a tag has chosen. */
function choose(
  node: Node,
  value: unknown,
  components: Described['components'],
): { node: Node; tag?: string } | undefined {
  const at = resolve(node, components)
  const members = at.anyOf ?? at.oneOf
  if (!members) return { node: at }
  const tag = at[TAG]
  const found =
    tag === undefined || typeof value !== 'object' || value === null
      ? undefined
      : (value as Record<string, unknown>)[tag]
  if (tag !== undefined) {
    const member = members
      .map(one => resolve(one, components))
      .find(one => admits(one.properties?.[tag], found, components))
    return member && { node: member, tag: String(found) }
  }
  const others = members
    .map(one => resolve(one, components))
    .filter(one => !(typesOf(one).length === 1 && one.type === 'null'))
  return others.length === 1 ? choose(others[0]!, value, components) : undefined
}

function admits(node: Node | undefined, value: unknown, components: Described['components']): boolean {
  if (!node) return false
  const at = resolve(node, components)
  return at.const === value ? value !== undefined : at.enum?.includes(value) === true
}

function inside(node: Node, step: string | number, components: Described['components']): Node | undefined {
  if (typeof step === 'number')
    return node.prefixItems?.[step] ?? (typeof node.items === 'object' ? node.items : undefined)
  const own = node.properties
  if (own && Object.hasOwn(own, step)) return own[step]
  for (const part of node.allOf ?? []) {
    const found = inside(resolve(part, components), step, components)
    if (found) return found
  }
  return typeof node.additionalProperties === 'object' ? node.additionalProperties : undefined
}
