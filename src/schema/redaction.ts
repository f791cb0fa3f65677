// What is secret in an input never comes back in the answer that refuses it: an issue's `input` may be the very object that holds a password.
//
// Secret is what a schema marks: `.meta({ secret: true })`, `format: 'password'`, `'x-secret': true` in a JSON Schema. Also whatever stands
// inside of it.
import { type Described, type Node, resolve, SECRET } from './described.ts'

/** As Pydantic's SecretStr shows itself. */
export const MASK = '**********'

/** A copy with masks in place of secrets. */
export type Redact = (value: unknown) => unknown

function isSecret(node: Node, components: Described['components']): boolean {
  const at = resolve(node, components)
  return (
    node[SECRET] === true ||
    at[SECRET] === true ||
    at.format === 'password' ||
    members(at).some(one => isSecret(one, components))
  )
}

/** @returns undefined for a schema without secrets */
export function compileRedaction({ schema, components }: Described): Redact | undefined {
  return new Compiler(components).compile(schema)
}

function members(node: Node): readonly Node[] {
  return [...(node.anyOf ?? []), ...(node.oneOf ?? []), ...(node.allOf ?? [])]
}

class Compiler {
  readonly #components: Described['components']
  /** Recursive schemas are looked up when they run. */
  readonly #compiled = new Map<Node, Redact | undefined>()

  constructor(components: Described['components']) {
    this.#components = components
  }

  compile(node: Node): Redact | undefined {
    if (!this.#holds(node, new Set())) return undefined
    if (isSecret(node, this.#components)) return value => (value === null || value === undefined ? value : MASK)
    const at = resolve(node, this.#components)
    if (this.#compiled.has(at)) return value => this.#compiled.get(at)?.(value) ?? value
    this.#compiled.set(at, undefined)
    const redact = this.#build(at)
    this.#compiled.set(at, redact)
    return redact
  }

  #holds(node: Node, seen: Set<Node>): boolean {
    if (isSecret(node, this.#components)) return true
    const at = resolve(node, this.#components)
    if (seen.has(at)) return false
    seen.add(at)
    return inside(at).some(part => this.#holds(part, seen))
  }

  #build(node: Node): Redact {
    const steps: Redact[] = []
    // Which member was meant is not known of a value that fits none: what is secret in one of them is secret.
    for (const member of members(node)) {
      const redact = this.compile(member)
      if (redact) steps.push(redact)
    }
    const fields = new Map(Object.entries(node.properties ?? {}).map(([key, field]) => [key, this.compile(field)]))
    const rest = typeof node.additionalProperties === 'object' ? this.compile(node.additionalProperties) : undefined
    const patterns = Object.values(node.patternProperties ?? {}).map(part => this.compile(part))
    steps.push(value => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
      return Object.fromEntries(
        Object.entries(value).map(([key, inner]) => {
          const redact = fields.has(key) ? fields.get(key) : (rest ?? patterns.find(one => one))
          return [key, redact ? redact(inner) : (inner as unknown)]
        }),
      )
    })
    const prefix = (node.prefixItems ?? []).map(item => this.compile(item))
    const item = typeof node.items === 'object' ? this.compile(node.items) : undefined
    if (item ?? prefix.find(one => one))
      steps.push(value =>
        Array.isArray(value)
          ? value.map((one: unknown, n) => (n < prefix.length ? (prefix[n]?.(one) ?? one) : (item?.(one) ?? one)))
          : value,
      )
    return value => steps.reduce((soFar, step) => step(soFar), value)
  }
}

function inside(node: Node): readonly Node[] {
  return [
    ...members(node),
    ...Object.values(node.properties ?? {}),
    ...Object.values(node.patternProperties ?? {}),
    ...(node.prefixItems ?? []),
    ...(typeof node.items === 'object' ? [node.items] : []),
    ...(typeof node.additionalProperties === 'object' ? [node.additionalProperties] : []),
  ]
}
