// Looks for indexes that are missing: tables that statements read whole for a few of their rows, by pg_stat_statements and EXPLAIN, and tables that
// are read whole often, by the server's own counts. Nothing is changed, and no statement is run: it is planned.
import pg from 'pg'
import type { Connection } from './connection.ts'
import type { Database } from './database.ts'
import { QueryError } from './errors.ts'
import { filteredScans, type FilteredScan, type PlanNode } from './plan-filters.ts'

export interface IndexHint {
  /** As SQL writes it, with its schema where that is not public. */
  readonly table: string
  /** Empty where nobody knows which. */
  readonly columns: readonly string[]
  /** In the table. */
  readonly rows: number
  /** Why, as a clause: `read whole 120 times`. */
  readonly reason: string
  /** One that would make it. */
  readonly sql: string
}

export interface IndexReport {
  readonly hints: readonly IndexHint[]
  /** How many statements were looked at; undefined where pg_stat_statements is not there. */
  readonly statements: number | undefined
}

// Below that, reading a table whole takes about a millisecond.
const LARGE_ROWS = 10_000

// Where a tenth of a table and more is wanted, reading it whole is often the quickest.
const SELECTIVE = 0.1

// Read whole so often since the statistics began: no report of the night.
const OFTEN = 50

// The statements that took most of the server's time, all in all.
const STATEMENTS = 100

// A column of ten values alone spares nine tenths at best; beside others it makes an index larger for little.
const FEW_VALUES = 10
const MOST_COLUMNS = 3

export async function findMissingIndexes(database: Database): Promise<IndexReport> {
  return database.lend(async connection => {
    const ask = async <Row>(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> =>
      (await connection.run({ text, values }, '')).rows as readonly Row[]
    await connection.script(SESSION)
    const tables = new Map(
      (await ask<Table>(TABLES, [LARGE_ROWS])).map(table => [`${table.schema}.${table.name}`, table]),
    )
    const statements = await readStatements(ask)
    const hints = new Map<string, IndexHint>()
    for (const statement of statements ?? []) {
      const plan = tables.size === 0 ? undefined : await planOf(connection, statement.query)
      for (const scan of plan === undefined ? [] : filteredScans(plan)) {
        const hint = hintOf(scan, tables.get(`${scan.schema}.${scan.table}`), statement)
        if (hint && !hints.has(hint.sql)) hints.set(hint.sql, hint)
      }
    }
    const known = new Set([...hints.values()].map(({ table }) => table))
    const others = [...tables.values()].filter(table => !known.has(table.inSql)).flatMap(hintsOfCounts)
    return { hints: [...hints.values(), ...others], statements: statements?.length }
  })
}

type Ask = <Row>(text: string, values?: readonly unknown[]) => Promise<readonly Row[]>

// The connection is closed afterwards. Planning may run functions that are said to be immutable: not for long, and not to write.
const SESSION = `set statement_timeout = '2s'; set default_transaction_read_only = on; set plan_cache_mode = force_generic_plan`

interface Table {
  readonly schema: string
  readonly name: string
  /** As SQL writes it: with quotes where they are needed, and its schema where that is not public. */
  readonly inSql: string
  /** The same of its columns, by their names. */
  readonly columnsInSql: Readonly<Record<string, string>>
  readonly rows: number
  readonly scans: number
  readonly rowsRead: number
  /** First columns of its indexes that can be used. */
  readonly leading: readonly string[]
  /** Columns of its foreign keys, one array each. */
  readonly references: readonly (readonly string[])[]
  /** How many values columns have; below 0: as a share of the rows. */
  readonly distinct: Readonly<Record<string, number>>
}

const TABLES = `
  select n.nspname as schema, c.relname as name, c.reltuples::float8 as rows,
    case n.nspname when 'public' then '' else quote_ident(n.nspname) || '.' end || quote_ident(c.relname) as "inSql",
    (select json_object_agg(a.attname, quote_ident(a.attname)) from pg_attribute a
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as "columnsInSql",
    s.seq_scan::float8 as scans, s.seq_tup_read::float8 as "rowsRead",
    (select coalesce(json_agg(a.attname), '[]') from pg_index i
      join pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[0]
      where i.indrelid = c.oid and i.indisvalid and i.indpred is null) as leading,
    (select coalesce(json_agg((select json_agg(a.attname order by k.place)
          from unnest(f.conkey) with ordinality k (number, place)
          join pg_attribute a on a.attrelid = c.oid and a.attnum = k.number)), '[]')
      from pg_constraint f where f.conrelid = c.oid and f.contype = 'f') as references,
    (select coalesce(json_object_agg(d.attname, d.n_distinct), '{}') from pg_stats d
      where d.schemaname = n.nspname and d.tablename = c.relname and not d.inherited) as distinct
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  join pg_stat_user_tables s on s.relid = c.oid
  where c.relkind in ('r', 'm') and c.reltuples >= $1`

interface StatementCost {
  readonly query: string
  readonly calls: number
  readonly meanMs: number
}

/** @returns undefined where the extension is not there, or not loaded */
async function readStatements(ask: Ask): Promise<readonly StatementCost[] | undefined> {
  const [extension] = await ask<{ schema: string }>(
    "select n.nspname as schema from pg_extension e join pg_namespace n on n.oid = e.extnamespace where extname = 'pg_stat_statements'",
  )
  if (extension === undefined) return undefined
  try {
    return await ask<StatementCost>(
      `select query, calls::float8 as calls, mean_exec_time as "meanMs"
        from ${pg.escapeIdentifier(extension.schema)}.pg_stat_statements
        where dbid = (select oid from pg_database where datname = current_database())
          and query ~* '^\\s*(select|with|update|delete|insert)\\M' and query !~ 'pg_stat_|pg_catalog'
        order by total_exec_time desc limit ${STATEMENTS}`,
    )
  } catch (error) {
    if (error instanceof QueryError) return undefined
    throw error
  }
}

/** @returns undefined for what cannot be planned: another search path, a table that is gone, a constant where only a constant can be */
async function planOf(connection: Connection, query: string): Promise<PlanNode | undefined> {
  try {
    // Not as a script: one statement, whatever is in it.
    await connection.run({ text: `prepare millrace_doctor as ${plannable(query)}`, values: [] }, '')
  } catch (error) {
    if (error instanceof QueryError) return undefined
    throw error
  }
  try {
    const { rows: known } = await connection.run(
      {
        text: "select cardinality(parameter_types) as count from pg_prepared_statements where name = 'millrace_doctor'",
        values: [],
      },
      '',
    )
    const count = Number(known[0]?.['count'] ?? 0)
    // The generic plan is for any values.
    const values = count === 0 ? '' : `(${Array.from({ length: count }, () => 'null').join(', ')})`
    const text = `explain (format json, verbose) execute millrace_doctor${values}`
    const { rows } = await connection.run({ text, values: [] }, '')
    const [plan] = rows[0]!['QUERY PLAN'] as readonly { readonly Plan: PlanNode }[]
    return plan?.Plan
  } catch (error) {
    if (error instanceof QueryError) return undefined
    throw error
  } finally {
    await connection.script('deallocate millrace_doctor').catch(() => {})
  }
}

/** The extension puts `interval $1` for `interval '1 day'`, which is no SQL. */
function plannable(query: string): string {
  return query.replaceAll(/\b(interval|timestamptz|timestamp|date|time)\s+(\$\d+)/gi, '$2::$1')
}

function hintOf(scan: FilteredScan, table: Table | undefined, statement: StatementCost): IndexHint | undefined {
  if (table === undefined || scan.rows >= SELECTIVE * table.rows) return undefined
  const columns = indexColumns(scan, table)
  if (columns.length === 0 || table.leading.includes(columns[0]!)) return undefined
  const text = statement.query.replaceAll(/\s+/g, ' ').trim()
  const times = `${Math.round(statement.calls)} x ${statement.meanMs.toFixed(1)} ms`
  return hint(table, columns, `read whole by (${times}): ${text.length > 200 ? `${text.slice(0, 200)}...` : text}`)
}

/** What is compared by = comes first, the most telling column before the others; then one that is compared by order. */
function indexColumns({ equal, ranged }: FilteredScan, table: Table): readonly string[] {
  const values = (column: string): number => {
    const distinct = table.distinct[column] ?? -1
    return distinct < 0 ? -distinct * table.rows : distinct
  }
  const ordered = equal.toSorted((a, b) => values(b) - values(a))
  const telling = ordered.filter((column, index) => index === 0 || values(column) > FEW_VALUES)
  return [...telling.slice(0, MOST_COLUMNS), ...ranged.slice(0, 1)].slice(0, MOST_COLUMNS)
}

/** Of tables that no known statement explains: foreign keys are the usual suspects. */
function hintsOfCounts(table: Table): readonly IndexHint[] {
  const { scans, rowsRead, rows, references, leading } = table
  if (scans < OFTEN || rowsRead / scans < rows / 2) return []
  const reason = `read whole ${Math.round(scans)} times, by statements that are not known`
  const bare = references.filter(([first]) => first !== undefined && !leading.includes(first))
  return bare.length === 0
    ? [hint(table, [], reason)]
    : bare.map(columns => hint(table, columns, `${reason}; it has a foreign key without an index`))
}

function hint({ inSql, columnsInSql, rows }: Table, columns: readonly string[], reason: string): IndexHint {
  const list = columns.length === 0 ? '...' : columns.map(column => columnsInSql[column] ?? column).join(', ')
  return { table: inSql, columns, rows, reason, sql: `create index concurrently on ${inSql} (${list});` }
}
