// Reads EXPLAIN's plan of a statement for the tables that it reads whole only to throw most of it away: what an index would spare. Pure.
//
// Made for `explain (format json, verbose)`, where every column has its table's alias before it: `((o.status = 'open'::text) AND (o.id > $1))`.

export interface FilteredScan {
  readonly schema: string
  readonly table: string
  /** Compared by `=`, `= any` or `is null`. */
  readonly equal: readonly string[]
  /** Compared by `<`, `>` and the like. */
  readonly ranged: readonly string[]
  /** Rows that the planner thinks are left. */
  readonly rows: number
}

/** The part of a node that is read here. */
export interface PlanNode {
  readonly 'Node Type': string
  readonly Schema?: string
  readonly 'Relation Name'?: string
  readonly Alias?: string
  readonly Filter?: string
  readonly 'Plan Rows'?: number
  readonly Plans?: readonly PlanNode[]
}

export function filteredScans(node: PlanNode): readonly FilteredScan[] {
  const below = (node.Plans ?? []).flatMap(filteredScans)
  const { Filter: filter, 'Relation Name': table, Schema: schema = 'public', Alias: alias = table } = node
  if (node['Node Type'] !== 'Seq Scan' || filter === undefined || table === undefined) return below
  const compared = conjuncts(filter)
    .map(clause => comparison(clause, alias!))
    .filter(each => each !== undefined)
  const columns = (isRange: boolean): string[] => [
    ...new Set(compared.filter(each => each.isRange === isRange).map(({ column }) => column)),
  ]
  const scan = { schema, table, equal: columns(false), ranged: columns(true), rows: node['Plan Rows'] ?? 0 }
  return [scan, ...below]
}

/** `((a) AND (b))` -> `a`, `b`. */
function conjuncts(filter: string): readonly string[] {
  const inner = unwrapped(filter)
  const parts: string[] = []
  let from = 0
  forEachOuter(inner, at => {
    if (!inner.startsWith(' AND ', at)) return
    parts.push(inner.slice(from, at))
    from = at + ' AND '.length
  })
  parts.push(inner.slice(from))
  return parts.length === 1 ? parts : parts.flatMap(conjuncts)
}

/** Without parentheses around the whole. */
function unwrapped(text: string): string {
  if (!text.startsWith('(') || !text.endsWith(')')) return text
  let isWhole = true
  forEachOuter(text, at => {
    if (at > 0 && at < text.length - 1) isWhole = false
  })
  return isWhole ? unwrapped(text.slice(1, -1)) : text
}

/** Calls for every place that is in no parentheses, quotes or brackets. */
function forEachOuter(text: string, visit: (at: number) => void): void {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!
    if (character === "'" || character === '"') {
      const end = text.indexOf(character, at + 1)
      at = end === -1 ? text.length : end
    } else if (character === '(' || character === '[') depth++
    else if (character === ')' || character === ']') depth--
    else if (depth === 0) visit(at)
  }
}

const NAME = String.raw`"(?:[^"]|"")+"|[\w$]+`

// `o.email = $1`, `(o.email)::text = $1`, `o.id = ANY ($1)`, `o.at > now()`, `o.gone IS NULL`.
const COMPARISON = new RegExp(
  String.raw`^\(?(${NAME})\.(${NAME})\)?(?:::[\w ."()[\]]+?)? (?:(=|<|<=|>|>=) (.*)|IS NULL)$`,
  's',
)

function comparison(clause: string, alias: string): { column: string; isRange: boolean } | undefined {
  const [, owner, column, operator = '=', other = ''] = COMPARISON.exec(clause) ?? []
  if (owner === undefined || unquoted(owner) !== alias) return undefined
  // With another column of the same row no index helps.
  if (other.includes(`${owner}.`)) return undefined
  return { column: unquoted(column!), isRange: operator !== '=' }
}

function unquoted(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name
}
