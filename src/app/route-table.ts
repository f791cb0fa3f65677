// Finds the route for a method and a path: a map for paths without names, a tree of segments for the others.
//
// Text wins over a name, a name over the rest of the path, whatever the order of declaration; when the better branch leads nowhere the
// next one is tried. So `/users/me` and `/users/{id}` never depend on who was declared first.
import { UsageError } from '../core/error.ts'
import { parsePattern, type PatternSegment } from './pattern.ts'

/** Everything declared on one pattern. */
export interface PathEntry<T> {
  readonly methods: Map<string, T>
  readonly pattern: string
}

export interface Found<T> {
  readonly target: T
  /** Decoded, in the order of the pattern's names. */
  readonly values: readonly string[]
}

// A few texts are compared where they stand in the path; for more, a text of its own for the segment is worth its hash (bench shop-read:
// two segments by map were a tenth of a cached product).
const MOST_COMPARED = 8

class Node<T> {
  /** In order of declaration. */
  readonly list: { readonly text: string; readonly node: Node<T> }[] = []
  /** The same, where they are many: most nodes of a large table have none below them, and an empty map is 200 bytes. */
  texts: Map<string, Node<T>> | undefined
  value: Node<T> | undefined
  entry: PathEntry<T> | undefined
  rest: PathEntry<T> | undefined
}

const NONE: readonly string[] = []
/** The method of what takes any. */
const ANY = '*'

export class RouteTable<T> {
  readonly #plain = new Map<string, PathEntry<T>>()
  /** For these, what `find` returns, by path and method: no allocation, two look-ups. */
  readonly #answers = new Map<string, Map<string, Found<T>>>()
  readonly #root = new Node<T>()

  /** @throws UsageError `APP_DUPLICATE_ROUTE` when the method is taken on a pattern that matches the same paths */
  add(method: string, pattern: string, target: T): void {
    const segments = parsePattern(pattern)
    // What takes any method is found behind what takes one, so it stands in the tree.
    const isPlain = method !== ANY && segments.every(segment => segment.kind === 'text')
    const entry = isPlain ? this.#plainEntry(pattern) : this.#treeEntry(pattern, segments)
    const taken = entry.methods.has(method)
    if (taken) {
      const what =
        entry.pattern === pattern
          ? `${method} ${pattern} is declared twice`
          : `${method} ${entry.pattern} and ${method} ${pattern} match the same paths; declare one of them`
      throw new UsageError('APP_DUPLICATE_ROUTE', what)
    }
    entry.methods.set(method, target)
    if (isPlain && this.#plain.get(pattern) === entry) this.#answers.set(pattern, answersOf(entry))
  }

  /** The same text for all patterns that match the same paths. */
  shape(pattern: string): string {
    return parsePattern(pattern)
      .map(segment => (segment.kind === 'text' ? segment.text : segment.kind === 'value' ? '{}' : '{*}'))
      .join('/')
  }

  /** The best pattern that matches and has the method; for HEAD one that has GET will do. */
  find(method: string, path: string): Found<T> | undefined {
    return this.#answers.get(path)?.get(method) ?? this.#walk(this.#root, path, 1, NONE, method)
  }

  /** The union of methods over all patterns that match the path, sorted: what Allow says. */
  allowed(path: string): readonly string[] {
    const methods = new Set(this.#plain.get(path)?.methods.keys())
    const collect = (entry: PathEntry<T>) => {
      for (const method of entry.methods.keys()) methods.add(method)
    }
    this.#each(this.#root, path, 1, collect)
    return [...methods].sort()
  }

  #plainEntry(pattern: string): PathEntry<T> {
    let entry = this.#plain.get(pattern)
    if (!entry) this.#plain.set(pattern, (entry = { methods: new Map(), pattern }))
    return entry
  }

  #treeEntry(pattern: string, segments: readonly PatternSegment[]): PathEntry<T> {
    let node = this.#root
    for (const segment of segments) {
      if (segment.kind === 'rest') return (node.rest ??= { methods: new Map(), pattern })
      if (segment.kind === 'value') node = node.value ??= new Node()
      else {
        node = below(node, segment.text) ?? grown(node, segment.text)
      }
    }
    return (node.entry ??= { methods: new Map(), pattern })
  }

  // `at` is where the next segment begins.
  #walk(node: Node<T>, path: string, at: number, values: readonly string[], method: string): Found<T> | undefined {
    const slash = path.indexOf('/', at)
    const end = slash === -1 ? path.length : slash
    const exact = textAt(node, path, at, end)
    if (exact) {
      const found =
        slash === -1 ? serves(exact.entry, values, method) : this.#walk(exact, path, slash + 1, values, method)
      if (found) return found
    }
    if (node.value && end > at) {
      const text = path.slice(at, end)
      const then = values === NONE ? [text] : [...values, text]
      const found =
        slash === -1 ? serves(node.value.entry, then, method) : this.#walk(node.value, path, slash + 1, then, method)
      if (found) return found
    }
    return at < path.length ? serves(node.rest, [...values, path.slice(at)], method) : undefined
  }

  #each(node: Node<T>, path: string, at: number, visit: (entry: PathEntry<T>) => void): void {
    const slash = path.indexOf('/', at)
    const text = path.slice(at, slash === -1 ? path.length : slash)
    for (const next of [below(node, text), text === '' ? undefined : node.value]) {
      if (!next) continue
      if (slash !== -1) this.#each(next, path, slash + 1, visit)
      else if (next.entry) visit(next.entry)
    }
    if (node.rest && at < path.length) visit(node.rest)
  }
}

function below<T>(node: Node<T>, text: string): Node<T> | undefined {
  return textAt(node, text, 0, text.length)
}

function grown<T>(node: Node<T>, text: string): Node<T> {
  const next = new Node<T>()
  node.list.push({ text, node: next })
  if (node.texts) node.texts.set(text, next)
  else if (node.list.length > MOST_COMPARED) node.texts = new Map(node.list.map(each => [each.text, each.node]))
  return next
}

function textAt<T>({ list, texts }: Node<T>, path: string, at: number, end: number): Node<T> | undefined {
  if (texts !== undefined) return texts.get(path.slice(at, end))
  for (let n = 0; n < list.length; n++) {
    const { text, node } = list[n]!
    if (text.length === end - at && path.startsWith(text, at)) return node
  }
  return undefined
}

function serves<T>(entry: PathEntry<T> | undefined, values: readonly string[], method: string): Found<T> | undefined {
  const target =
    entry?.methods.get(method) ?? (method === 'HEAD' ? entry?.methods.get('GET') : undefined) ?? entry?.methods.get(ANY)
  return target === undefined ? undefined : { target, values }
}

function answersOf<T>(entry: PathEntry<T>): Map<string, Found<T>> {
  const answers = new Map([...entry.methods].map(([method, target]) => [method, { target, values: NONE }]))
  const get = answers.get('GET')
  if (get && !answers.has('HEAD')) answers.set('HEAD', get)
  return answers
}
