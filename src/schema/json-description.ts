// Describes a JSON Schema or TypeBox schema: checks that it is one we can keep, and moves what it names into components.
//
// Names come from `$id`, `$defs` and `definitions`. References to them, in any of the forms in use ('#', '#/$defs/X', an id),
// become references into components, because OpenAPI resolves them against its own document and not against ours.
import { UsageError } from '../core/error.ts'
import { misreadAsJson } from './json-keywords.ts'
import { componentName, type Described, type Node, REF, SECRET } from './described.ts'

/** Keywords that hold a schema, a list of schemas, or a map of schemas. All others are copied as they are. */
const ONE = new Set([
  'items',
  'additionalProperties',
  'not',
  'contains',
  'propertyNames',
  'if',
  'then',
  'else',
  'unevaluatedItems',
  'unevaluatedProperties',
  'contentSchema',
])
const LIST = new Set(['anyOf', 'oneOf', 'allOf', 'prefixItems'])
const MAP = new Set(['properties', 'patternProperties', 'dependentSchemas'])
const DROPPED = new Set(['$schema', '$id', '$defs', 'definitions', '$anchor', '$comment'])
const TYPES = new Set(['string', 'number', 'integer', 'boolean', 'null', 'array', 'object'])

/**
 * @param isWritten  by the application, not made by its schema library: a key that is no keyword is then a mistake of its writer
 * @throws UsageError `SCHEMA_NOT_DESCRIBABLE` for a type that JSON has not, a reference to nothing, or rules only TypeBox can run;
 *   `SCHEMA_NOT_A_SCHEMA` for what is no JSON Schema at all
 */
export function describeJson(schema: object, where: string, isWritten: boolean): Described {
  return new JsonWalk(schema, where, isWritten).describe()
}

class JsonWalk {
  readonly #root: object
  readonly #where: string
  readonly #isWritten: boolean
  readonly #components: Record<string, Node> = {}
  /** Every form in which a part can be referred to. */
  readonly #targets = new Map<string, object>()
  readonly #names = new Map<object, string>()

  constructor(root: object, where: string, isWritten: boolean) {
    this.#root = root
    this.#where = where
    this.#isWritten = isWritten
    this.#targets.set('#', root)
    this.#collect(root, '#', new Set())
  }

  describe(): Described {
    const schema = this.#visit(this.#root, '')
    return { schema, components: this.#components }
  }

  #collect(part: unknown, pointer: string, seen: Set<object>): void {
    if (typeof part !== 'object' || part === null || seen.has(part)) return
    seen.add(part)
    if (!Array.isArray(part)) {
      const id = (part as Node)['$id']
      if (typeof id === 'string') {
        this.#targets.set(id, part)
        this.#name(part, id)
      }
    }
    for (const [key, value] of Object.entries(part)) {
      const at = `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
      if (typeof value === 'object' && value !== null) this.#targets.set(at, value as object)
      if (key !== 'enum' && key !== 'const' && key !== 'default' && key !== 'examples') this.#collect(value, at, seen)
    }
  }

  #name(part: object, base: string): string {
    let name = this.#names.get(part)
    if (name !== undefined) return name
    const used = new Set(this.#names.values())
    const wanted = componentName(base)
    name = wanted
    for (let n = 2; used.has(name); n++) name = `${wanted}${n}`
    this.#names.set(part, name)
    return name
  }

  #visit(part: unknown, path: string): Node {
    if (part === true) return {}
    if (part === false) return { not: {} }
    if (typeof part !== 'object' || part === null || Array.isArray(part))
      return this.#refuse(path, 'a schema is an object or a boolean')
    const name = this.#names.get(part)
    if (name === undefined) return this.#copy(part as Node, path)
    return this.#component(part as Node, name, path)
  }

  #component(part: Node, name: string, path: string): Node {
    if (!Object.hasOwn(this.#components, name)) {
      this.#components[name] = {}
      this.#components[name] = this.#copy(part, path)
    }
    return { $ref: REF + name }
  }

  #copy(part: Node, path: string): Node {
    this.#check(part, path)
    const node: Node = {}
    for (const [key, value] of Object.entries(part)) {
      if (DROPPED.has(key) || key.startsWith('~')) continue
      if (key === '$ref') node.$ref = this.#reference(value as string, path)
      else if (ONE.has(key))
        node[key] =
          key === 'items' || key === 'additionalProperties'
            ? this.#orBoolean(value, `${path}/${key}`)
            : this.#visit(value, `${path}/${key}`)
      else if (LIST.has(key) && Array.isArray(value))
        node[key] = value.map((one, n) => this.#visit(one, `${path}/${key}/${n}`))
      else if (MAP.has(key) && typeof value === 'object' && value !== null)
        node[key] = Object.fromEntries(
          Object.entries(value).map(([name, one]) => [name, this.#visit(one, `${path}/${key}/${name}`)]),
        )
      else node[key] = value
    }
    if (node['x-secret'] === true) node[SECRET] = true
    return node
  }

  #orBoolean(value: unknown, path: string): Node | boolean {
    return typeof value === 'boolean' ? value : this.#visit(value, path)
  }

  #reference(ref: string, path: string): string {
    const target = this.#targets.get(ref) ?? this.#targets.get(decodeURIComponent(ref))
    if (!target) return this.#refuse(path, `$ref "${ref}" refers to nothing inside this schema`)
    const name = this.#name(target, nameIn(ref))
    this.#component(target as Node, name, path)
    // The root was being copied in place when it turned out to be referred to: it stays, and is a component as well.
    return REF + name
  }

  #check(part: Node, path: string): void {
    if ('_zod' in part || '~standard' in part)
      this.#refuse(path, 'a schema of a library stands inside a JSON Schema; write the whole with one of the two')
    const misread = this.#isWritten ? misreadAsJson(part) : undefined
    if (misread !== undefined)
      throw new UsageError('SCHEMA_NOT_A_SCHEMA', `${this.#where}${path && ` at ${path}`}: not a schema: ${misread}`)
    const types = part.type === undefined ? [] : Array.isArray(part.type) ? part.type : [part.type]
    for (const type of types) if (!TYPES.has(type)) this.#refuse(path, `type "${String(type)}" has no JSON form`)
    if (Array.isArray(part.items)) this.#refuse(path, 'a list in "items" is an old draft; use "prefixItems"')
    const runsOnlyInTypeBox =
      '~codec' in part ||
      '~refine' in part ||
      Object.getOwnPropertySymbols(part).some(symbol => symbol.description === 'TypeBox.Transform')
    if (runsOnlyInTypeBox)
      this.#refuse(
        path,
        "TypeBox's transforms and refinements are not part of JSON Schema and would not run; use a schema without them, or Zod",
      )
  }

  #refuse(path: string, why: string): never {
    throw new UsageError(
      'SCHEMA_NOT_DESCRIBABLE',
      `${this.#where}: the schema cannot be described${path ? ` at ${path}` : ''}: ${why}`,
    )
  }
}

/** 'Part' for '#/$defs/Part'; an id is its own name. */
function nameIn(ref: string): string {
  if (ref === '#') return 'Recursive'
  return ref.startsWith('#/')
    ? ref
        .slice(ref.lastIndexOf('/') + 1)
        .replaceAll('~1', '_')
        .replaceAll('~0', '_')
    : ref
}
