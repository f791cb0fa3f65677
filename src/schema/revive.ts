// Turns a JSON value into what a schema's validator takes, where JSON has no such value: text to Date and bigint, arrays to Set.
// A schema without any of these (nearly all) has no reviver, and its bodies pass untouched.
import { parseDateTime } from './date-time.ts'
import { type Described, HELD, type Node, resolve } from './described.ts'
import { fits } from './fits.ts'

export type Revive = (value: unknown) => unknown

/** @returns undefined when there is nothing to revive anywhere inside */
export function compileRevival({ schema, components }: Described): Revive | undefined {
  return holdsMore(schema, components, new Set()) ? new Compiler(components).compile(schema) : undefined
}

function parts(node: Node): Node[] {
  const { items, additionalProperties } = node
  return [
    ...Object.values(node.properties ?? {}),
    ...Object.values(node.patternProperties ?? {}),
    ...(typeof items === 'object' ? [items] : []),
    ...(typeof additionalProperties === 'object' ? [additionalProperties] : []),
    ...(node.prefixItems ?? []),
    ...(node.anyOf ?? []),
    ...(node.oneOf ?? []),
    ...(node.allOf ?? []),
  ]
}

/** Whether a handler holds something else than JSON anywhere inside. */
export function holdsMore(node: Node, components: Described['components'], seen: Set<Node>): boolean {
  const at = resolve(node, components)
  if (seen.has(at)) return false
  seen.add(at)
  return at[HELD] !== undefined || parts(at).some(part => holdsMore(part, components, seen))
}

class Compiler {
  readonly #components: Described['components']
  readonly #compiled = new Map<Node, Revive | undefined>()

  constructor(components: Described['components']) {
    this.#components = components
  }

  compile(node: Node): Revive | undefined {
    const at = resolve(node, this.#components)
    if (this.#compiled.has(at)) {
      // Met again: a recursive schema. Its reviver may not be finished yet, so it is looked up when it runs.
      return this.#compiled.get(at) ?? (value => this.#compiled.get(at)?.(value) ?? value)
    }
    if (!holdsMore(at, this.#components, new Set())) return undefined
    this.#compiled.set(at, undefined)
    const revive = this.#build(at)
    this.#compiled.set(at, revive)
    return revive
  }

  #build(node: Node): Revive | undefined {
    const held = node[HELD]
    if (held === 'date') return value => (typeof value === 'string' ? (parseDateTime(value) ?? value) : value)
    if (held === 'bigint')
      return value => (typeof value === 'string' && /^-?\d{1,4300}$/.test(value) ? BigInt(value) : value)
    const steps: Revive[] = []
    if (node.properties || node.additionalProperties || node.patternProperties) steps.push(this.#object(node))
    if (node.items || node.prefixItems) steps.push(this.#array(node))
    if (held === 'set') steps.push(value => (Array.isArray(value) ? new Set(value) : value))
    const members = node.anyOf ?? node.oneOf
    if (members) steps.push(this.#union(members))
    for (const part of node.allOf ?? []) {
      const revive = this.compile(part)
      if (revive) steps.push(revive)
    }
    return steps.length === 1 ? steps[0] : value => steps.reduce((soFar, step) => step(soFar), value)
  }

  #object(node: Node): Revive {
    const fields = Object.entries(node.properties ?? {}).flatMap(([key, field]) => {
      const revive = this.compile(field)
      return revive ? [{ key, revive }] : []
    })
    const rest = typeof node.additionalProperties === 'object' ? this.compile(node.additionalProperties) : undefined
    const declared = new Set(Object.keys(node.properties ?? {}))
    return value => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
      const revived = { ...value } as Record<string, unknown>
      for (const { key, revive } of fields) if (Object.hasOwn(revived, key)) revived[key] = revive(revived[key])
      if (rest) for (const key of Object.keys(revived)) if (!declared.has(key)) revived[key] = rest(revived[key])
      return revived
    }
  }

  #array(node: Node): Revive {
    const prefix = (node.prefixItems ?? []).map(item => this.compile(item))
    const rest = typeof node.items === 'object' ? this.compile(node.items) : undefined
    return value => {
      if (!Array.isArray(value)) return value
      return value.map((item, n) => {
        const revive = n < prefix.length ? prefix[n] : rest
        return revive ? revive(item) : item
      })
    }
  }

  /** The first member whose JSON form the value has; when none fits the value stays, and the schema complains. */
  #union(members: readonly Node[]): Revive {
    const tries = members.map(member => ({ member, revive: this.compile(member) }))
    return value => {
      const found = tries.find(({ member }) => fits(member, value, this.#components))
      return found?.revive ? found.revive(value) : value
    }
  }
}
