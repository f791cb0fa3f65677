// Rows by a schema: what the database gave is checked, and decoded into what the schema holds.
//
// What the driver gives as text because JavaScript has no safe number for it (bigint, numeric) is a number where the schema says number, a
// bigint where it says bigint; moments are dates where it says date.
import { type Decoder, compileBody } from '../../schema/decode.ts'
import { type Node, resolve, typesOf } from '../../schema/described.ts'
import { fieldShapeOf } from '../../schema/field-shape.ts'
import type { Issue } from '../../schema/issue.ts'
import { describe } from '../../schema/json-schema.ts'
import type { Schema } from '../../schema/schema.ts'
import { RowShapeError } from './errors.ts'

export interface RowSchema {
  /** @returns the rows as the schema holds them; a promise only where it validates asynchronously. @throws RowShapeError */
  decode(rows: readonly Record<string, unknown>[]): unknown[] | Promise<unknown[]>
}

const compiled = new WeakMap<Schema, RowSchema>()

/** @throws UsageError where the schema cannot be described; once for each schema, which is compiled by its first row */
export function rowSchema(schema: Schema): RowSchema {
  let known = compiled.get(schema)
  if (!known) compiled.set(schema, (known = compile(schema)))
  return known
}

function compile(schema: Schema): RowSchema {
  const where = 'the rows of a query'
  const decoder = compileBody(schema, where)
  const described = describe(schema, 'input', where)
  const numbers = [...fieldShapeOf(described).fields]
    .filter(([, node]) => isNumber(resolve(node, described.components)))
    .map(([name]) => name)
  return {
    decode(rows) {
      const decoded = rows.map((row, index) => decodeRow(decoder, asNumbers(row, numbers), index))
      return decoded.some(row => row instanceof Promise) ? Promise.all(decoded) : decoded
    },
  }
}

/** And no text besides. */
function isNumber(node: Node): boolean {
  const types = typesOf(node)
  return types.some(type => type === 'number' || type === 'integer') && !types.includes('string')
}

const DECIMAL = /^-?\d+(?:\.\d+)?$/

/** `bigint` and `numeric` columns, where they are numbers that a double holds as they are. */
function asNumbers(row: Record<string, unknown>, names: readonly string[]): Record<string, unknown> {
  for (const name of names) {
    const value = row[name]
    // A text column that is empty, or holds 0x10, is none.
    if (typeof value !== 'string' || !DECIMAL.test(value)) continue
    const number = Number(value)
    if (Number.isFinite(number) && (!Number.isInteger(number) || Number.isSafeInteger(number))) row[name] = number
  }
  return row
}

function decodeRow(decoder: Decoder, row: Record<string, unknown>, index: number): unknown {
  const issues: Issue[] = []
  const finish = (value: unknown): unknown => {
    if (issues.length > 0) throw new RowShapeError(index, issues.map(told))
    return value
  }
  const value = decoder.decode(row, issues)
  return value instanceof Promise ? value.then(finish) : finish(value)
}

/** Never the value. */
function told({ loc, msg }: Issue): string {
  const path = loc.slice(1).join('.')
  return path === '' ? msg : `${path}: ${msg}`
}
