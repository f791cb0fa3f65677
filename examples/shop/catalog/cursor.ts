// Where a page of the list ended: the sort key and the id of its last product. Opaque to clients, who only hand it back.
import type { Sort } from './schema.ts'

export interface Cursor {
  /** Price or name of the last product; its id where products are sorted by age. */
  readonly key: number | string
  readonly id: number
}

export function writeCursor(sort: Sort, { key, id }: Cursor): string {
  return Buffer.from(JSON.stringify([sort, key, id])).toString('base64url')
}

/** @returns undefined for what `writeCursor` did not write, or wrote for another sort */
export function readCursor(sort: Sort, text: string): Cursor | undefined {
  let parts: unknown
  try {
    parts = JSON.parse(Buffer.from(text, 'base64url').toString())
  } catch {
    return undefined
  }
  if (!Array.isArray(parts) || parts.length !== 3 || parts[0] !== sort) return undefined
  const [, key, id] = parts as unknown[]
  if (!isInteger(id)) return undefined
  const isKey = sort === 'name' ? typeof key === 'string' && !key.includes('\0') : isInteger(key)
  return isKey ? { key: key as number | string, id } : undefined
}

// PostgreSQL's integer.
function isInteger(value: unknown): value is number {
  return Number.isInteger(value) && Math.abs(value as number) <= 2_147_483_647
}
