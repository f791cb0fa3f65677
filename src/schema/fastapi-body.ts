// A body as FastAPI's models read it: every value inside by fastapi-reading.ts, and what was misread noted with its place.
//
// The same walk as revive.ts, with a place that is known at each step. A union takes the member that the value fits as it stands, else the
// first that can read it; where none can, the value stays and the schema tells what each of them says.
import { type Described, HELD, LENIENT, type Node, resolve, typesOf } from './described.ts'
import { Misread, type Read, readerOf } from './fastapi-reading.ts'
import { fits } from './fits.ts'
import type { Found } from './outcome.ts'

type Path = readonly (string | number)[]
export type Note = (found: Found) => void
/** @param at  where `value` stands */
type Walk = (value: unknown, at: Path, note: Note) => unknown

/** @returns what the schema's validator takes; what could not be read stays as it came, and is told to `note` */
export function compileBodyReading({ schema, components }: Described): (value: unknown, note: Note) => unknown {
  const walk = new Compiler(components).compile(schema)
  return (value, note) => (value === undefined || value === null ? value : walk(value, [], note))
}

class Compiler {
  readonly #components: Described['components']
  readonly #compiled = new Map<Node, Walk | undefined>()

  constructor(components: Described['components']) {
    this.#components = components
  }

  compile(node: Node): Walk {
    if (node[LENIENT]) {
      const { [LENIENT]: _, ...strict } = node
      const walk = this.compile(strict)
      return walk === asItIs ? walk : (value, path) => walk(value, path, () => {})
    }
    const at = resolve(node, this.#components)
    const known = this.#compiled.get(at)
    if (known) return known
    // Met while it is being built: recursive. The finished walk is looked up when it runs.
    if (this.#compiled.has(at)) return (value, path, note) => this.#compiled.get(at)!(value, path, note)
    this.#compiled.set(at, undefined)
    const walk = this.#build(at)
    this.#compiled.set(at, walk)
    return walk
  }

  #build(node: Node): Walk {
    const read = readerOf(node)
    if (read) return reading(read)
    const types = typesOf(node)
    const members = node.anyOf ?? node.oneOf ?? (types.length > 1 ? types.map(type => ({ ...node, type })) : undefined)
    if (members) return this.#union(members)
    if (node.allOf) return inOrder(node.allOf.map(part => this.compile(part)))
    if (node.properties || node.additionalProperties) return this.#object(node)
    if (node.items || node.prefixItems) return this.#array(node)
    return asItIs
  }

  #object(node: Node): Walk {
    const fields = Object.entries(node.properties ?? {})
      .map(([key, field]) => ({ key, walk: this.compile(field) }))
      .filter(({ walk }) => walk !== asItIs)
    const rest = typeof node.additionalProperties === 'object' ? this.compile(node.additionalProperties) : asItIs
    const declared = new Set(Object.keys(node.properties ?? {}))
    return (value, at, note) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
      const read = { ...value } as Record<string, unknown>
      for (const { key, walk } of fields) if (Object.hasOwn(read, key)) read[key] = walk(read[key], [...at, key], note)
      if (rest !== asItIs)
        for (const key of Object.keys(read)) if (!declared.has(key)) read[key] = rest(read[key], [...at, key], note)
      return read
    }
  }

  #array(node: Node): Walk {
    const prefix = (node.prefixItems ?? []).map(item => this.compile(item))
    const rest = typeof node.items === 'object' ? this.compile(node.items) : asItIs
    const isSet = node[HELD] === 'set'
    return (value, at, note) => {
      if (!Array.isArray(value)) return value
      const read = value.map((item, n) => (prefix[n] ?? rest)(item, [...at, n], note))
      return isSet ? new Set(read) : read
    }
  }

  #union(members: readonly Node[]): Walk {
    const tries = members.map(member => ({ member, walk: this.compile(member) }))
    const values = tries.filter(({ member }) => !isNull(resolve(member, this.#components)))
    return (value, at, note) => {
      // As it stands: texts that a member takes are not made numbers of.
      const asItStands = tries.find(({ member }) => fits(member, value, this.#components))
      if (asItStands && !misreads(asItStands.walk, value)) return asItStands.walk(value, at, note)
      for (const { member, walk } of tries) {
        const noted: Found[] = []
        const read = walk(value, at, found => noted.push(found))
        if (noted.length === 0 && (read !== value || fits(member, read, this.#components))) return read
      }
      return values.length === 1 ? values[0]!.walk(value, at, note) : value
    }
  }
}

const asItIs: Walk = value => value

function reading(read: Read): Walk {
  return (value, at, note) => {
    const found = read(value)
    if (!(found instanceof Misread)) return found
    note({ type: found.type, path: at, msg: 'Invalid input', ctx: found.ctx })
    return value
  }
}

function inOrder(walks: readonly Walk[]): Walk {
  return (value, at, note) => walks.reduce((soFar, walk) => walk(soFar, at, note), value)
}

function misreads(walk: Walk, value: unknown): boolean {
  let isMisread = false
  walk(value, [], () => (isMisread = true))
  return isMisread
}

function isNull(node: Node): boolean {
  return typesOf(node).length === 1 && node.type === 'null'
}
