// Copies of a value just what a described schema declares, ready for JSON.stringify: one closure per node, built by the
// first value.
//
// A closure either gives the JSON form or MISFIT, and notes why: unions try their members without the cost of exceptions.
// Checked is what a serializer notices anyway: containers, required keys, primitive types, literals. Bounds and patterns are not.
import { type Described, HELD, type Node, resolve, typesOf } from './described.ts'
import { compileCopy } from './copy-keys.ts'
import { patternOf } from './fits.ts'
import { MISFIT, misfit, miss, missing, missUnder, type Pick } from './misfit.ts'

export function compilePick({ schema, components }: Described): Pick {
  return new Compiler(components).compile(schema)
}

class Compiler {
  readonly #components: Described['components']
  readonly #compiled = new Map<Node, Pick | undefined>()

  constructor(components: Described['components']) {
    this.#components = components
  }

  compile(node: Node): Pick {
    const at = resolve(node, this.#components)
    const known = this.#compiled.get(at)
    if (known) return known
    // Met while it is being built: recursive. The finished closure is looked up when it runs.
    if (this.#compiled.has(at)) return value => this.#compiled.get(at)!(value)
    this.#compiled.set(at, undefined)
    const pick = this.#build(at)
    this.#compiled.set(at, pick)
    return pick
  }

  #build(node: Node): Pick {
    if (node.const !== undefined || node.enum) return literal(node.enum ?? [node.const], node)
    if (node[HELD] === 'date') return orNull(node, pickDate)
    if (node[HELD] === 'bigint') return orNull(node, pickBigint)
    if (node[HELD] === 'set') return orNull(node, this.#set(node))
    const members = node.anyOf ?? node.oneOf
    if (members) return this.#union(members)
    if (node.allOf) return this.#build(this.#merged(node))
    const types = typesOf(node)
    if (types.length === 1) return this.#byType(types[0]!, node)
    if (types.length === 2 && types.includes('null'))
      return orNull(
        node,
        this.#byType(
          types.find(type => type !== 'null')!,
          node,
        ),
      )
    if (types.length > 1) return firstOf(types.map(type => this.#byType(type, node)))
    if (node.properties) return this.#object(node)
    if (node.items || node.prefixItems) return this.#array(node)
    return pickAnything
  }

  #byType(type: string, node: Node): Pick {
    switch (type) {
      case 'string':
        return node.format === 'date' ? pickDay : pickString
      case 'integer':
        return pickInteger
      case 'number':
        return pickNumber
      case 'boolean':
        return value => (typeof value === 'boolean' ? value : miss('a boolean', value))
      case 'null':
        return value => (value === null || value === undefined ? null : miss('null', value))
      case 'array':
        return this.#array(node)
      default:
        return this.#object(node)
    }
  }

  #array(node: Node): Pick {
    const { items, prefixItems } = node
    if (prefixItems) return this.#tuple(prefixItems, items)
    const pick = items === undefined || typeof items === 'boolean' ? undefined : this.compile(items)
    return value => {
      if (!Array.isArray(value)) return miss('an array', value)
      return pick ? pickItems(value, pick) : value
    }
  }

  #tuple(prefixItems: readonly Node[], items: Node['items']): Pick {
    const prefix = prefixItems.map(item => this.compile(item))
    const rest = typeof items === 'object' ? this.compile(items) : pickAnything
    return value => {
      if (!Array.isArray(value)) return miss('an array', value)
      const length = items === false ? Math.min(value.length, prefix.length) : value.length
      const out: unknown[] = []
      for (let n = 0; n < length; n++) {
        const picked = (prefix[n] ?? rest)(value[n])
        if (picked === MISFIT) return missUnder(n)
        out.push(picked)
      }
      return out
    }
  }

  #set(node: Node): Pick {
    const pick = typeof node.items === 'object' ? this.compile(node.items) : pickAnything
    return value => {
      if (!(value instanceof Set) && !Array.isArray(value)) return miss('a Set', value)
      const picked = pickItems([...(value as Iterable<unknown>)], pick)
      // An array may stand for it, and two Dates in a Set may be one text.
      return picked === MISFIT ? picked : [...new Set(picked as unknown[])]
    }
  }

  #object(node: Node): Pick {
    const names = Object.keys(node.properties ?? {})
    const copy = compileCopy(
      names.map(name => {
        const pick = this.compile(node.properties![name]!)
        return { name, pick, isRequired: pick !== pickAnything && (node.required?.includes(name) ?? false) }
      }),
    )
    const others = (node.required ?? []).filter(key => !names.includes(key))
    const rest = this.#rest(node, new Set(names))
    return given => {
      if (typeof given !== 'object' || given === null || Array.isArray(given)) return miss('an object', given)
      const value = plain(given) as Record<string, unknown>
      if (typeof value !== 'object' || value === null) return miss('an object', value)
      const out = copy(value)
      if (out === MISFIT) return MISFIT
      for (const key of others) if (value[key] === undefined) return missing(key)
      return rest ? rest(value, out) : out
    }
  }

  /** Keys beyond the declared ones leave only where the schema says so. */
  #rest(
    node: Node,
    declared: ReadonlySet<string>,
  ): ((value: Record<string, unknown>, out: Record<string, unknown>) => unknown) | undefined {
    const { additionalProperties, patternProperties } = node
    const any =
      additionalProperties === true
        ? pickAnything
        : additionalProperties
          ? this.compile(additionalProperties)
          : undefined
    const patterns = Object.entries(patternProperties ?? {}).map(([pattern, part]) => ({
      pattern: patternOf(pattern),
      pick: this.compile(part),
    }))
    if (!any && patterns.length === 0) return undefined
    return (value, out) => {
      for (const key of Object.keys(value)) {
        if (declared.has(key) || value[key] === undefined) continue
        const pick = patterns.find(({ pattern }) => pattern.test(key))?.pick ?? any
        if (!pick) continue
        const picked = pick(value[key])
        if (picked === MISFIT) return missUnder(key)
        if (key === '__proto__')
          Object.defineProperty(out, key, { value: picked, enumerable: true, configurable: true, writable: true })
        else out[key] = picked
      }
      return out
    }
  }

  /**
   * The first member that fits, unless it would lose keys that a later one keeps: a handler that returns the larger of two shapes
   * means the larger.
   */
  #union(members: readonly Node[]): Pick {
    const picks = members.map(member => this.compile(member))
    return value => {
      let best: unknown = MISFIT
      let bestKept = -1
      const keys =
        typeof value === 'object' && value !== null && !Array.isArray(value)
          ? Object.keys(plain(value) as object).length
          : 0
      let closest: typeof misfit | undefined
      for (const pick of picks) {
        const picked = pick(value)
        if (picked === MISFIT) {
          if (!closest || misfit.path.length > closest.path.length) closest = { ...misfit }
          continue
        }
        if (typeof picked !== 'object' || picked === null || Array.isArray(picked)) return picked
        const kept = definedKeys(picked)
        if (kept >= keys) return picked
        if (kept > bestKept) [best, bestKept] = [picked, kept]
      }
      if (best === MISFIT && closest) Object.assign(misfit, closest)
      return best
    }
  }

  /** `allOf` of objects is one object with all their keys; of anything else, what its first typed member is. */
  #merged(node: Node): Node {
    const { allOf = [], ...own } = node
    const parts = [own as Node, ...allOf.map(part => this.#flat(resolve(part, this.#components)))]
    const properties: Record<string, Node> = {}
    for (const part of parts)
      for (const [key, field] of Object.entries(part.properties ?? {}))
        properties[key] = properties[key] ? { allOf: [properties[key], field] } : field
    const merged: Node = Object.assign({}, ...parts.toReversed()) as Node
    delete merged.allOf
    if (Object.keys(properties).length > 0) merged.properties = properties
    merged.required = [...new Set(parts.flatMap(part => part.required ?? []))]
    // Whatever one part accepts beyond the declared keys is accepted: closing is the affair of the validator.
    const open = parts.map(part => part.additionalProperties).find(rest => rest !== undefined && rest !== false)
    if (open === undefined) delete merged.additionalProperties
    else merged.additionalProperties = open
    return merged
  }

  #flat(node: Node): Node {
    return node.allOf ? this.#merged(node) : node
  }
}

function pickItems(value: readonly unknown[], pick: Pick): unknown {
  const out = new Array<unknown>(value.length)
  for (let n = 0; n < value.length; n++) {
    const picked = pick(value[n])
    if (picked === MISFIT) return missUnder(n)
    out[n] = picked
  }
  return out
}

function definedKeys(value: object): number {
  return Object.values(value).filter(field => field !== undefined).length
}

/** What the value says of itself in JSON: rows and documents of database drivers are often classes. */
function plain(value: object): unknown {
  const { toJSON } = value as { toJSON?: unknown }
  return typeof toJSON === 'function' ? (toJSON.call(value) as unknown) : value
}

const pickAnything: Pick = value => value

const pickString: Pick = value => {
  if (typeof value === 'string') return value
  if (value instanceof Date) return pickDate(value)
  // ObjectId, URL, Temporal and the like are strings in JSON.
  const said = typeof value === 'object' && value !== null ? plain(value) : value
  return typeof said === 'string' ? said : miss('a string', value)
}

const pickDay: Pick = value => {
  const picked = pickString(value)
  return value instanceof Date && typeof picked === 'string' ? picked.slice(0, 10) : picked
}

const pickNumber: Pick = value =>
  typeof value === 'number' && Number.isFinite(value) ? value : miss('a finite number', value)

const pickInteger: Pick = value => {
  if (Number.isInteger(value)) return value
  // count(*) and the like: drivers give bigints for what fits a number.
  if (typeof value === 'bigint' && Number.isSafeInteger(Number(value))) return Number(value)
  return miss('an integer', value)
}

const pickDate: Pick = value => {
  if (!(value instanceof Date)) return miss('a Date', value)
  if (Number.isNaN(value.getTime())) return miss('a valid Date', value)
  const text = value.toISOString()
  // Other years are written with a sign and six digits, which RFC 3339 has not.
  return text.length === 24 ? text : miss('a Date of the years 0 to 9999', value)
}

const pickBigint: Pick = value => (typeof value === 'bigint' ? value.toString() : miss('a bigint', value))

function orNull(node: Node, pick: Pick): Pick {
  return typesOf(node).includes('null') ? value => (value === null ? null : pick(value)) : pick
}

function firstOf(picks: readonly Pick[]): Pick {
  return value => {
    for (const pick of picks) {
      const picked = pick(value)
      if (picked !== MISFIT) return picked
    }
    return MISFIT
  }
}

function literal(values: readonly unknown[], node: Node): Pick {
  const isAmong = new Set(values)
  const isHeldAsBigint = node[HELD] === 'bigint'
  return value => {
    const told = isHeldAsBigint && typeof value === 'bigint' ? value.toString() : value
    if (isAmong.has(told)) return told
    // Literals may be arrays and objects in JSON Schema: compare their text.
    if (typeof told === 'object' && told !== null && values.some(one => JSON.stringify(one) === JSON.stringify(told)))
      return told
    return miss(values.map(one => JSON.stringify(one)).join(' or '), value)
  }
}
