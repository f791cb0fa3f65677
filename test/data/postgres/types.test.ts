// What the compiler says about queries. Each wrong line must stay wrong: an unused `@ts-expect-error` fails the type check.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as z from 'zod'
import { App } from '../../../src/index.ts'
import { postgres, type Database, type Queryable, type Transaction } from '../../../src/data/postgres/index.ts'

const Note = z.object({ id: z.int(), text: z.string() })
type Note = z.infer<typeof Note>

test('a query is a handler answer of its row type, and both a database and a transaction run it', () => {
  const app = new App()
  const db = postgres({ embedded: false })
  app.get('/all', { returns: z.array(Note), uses: { db } }, ({ db }) => db.sql<Note>`select * from note`)
  app.get('/one', { returns: Note, uses: { db } }, ({ db }) => db.sql<Note>`select * from note limit 1`.one())
  // @ts-expect-error -- a row may be missing
  app.get('/maybe', { returns: Note, uses: { db } }, ({ db }) => db.sql<Note>`select * from note limit 1`.maybe())
  // @ts-expect-error -- other columns
  app.get('/other', { returns: Note, uses: { db } }, ({ db }) => db.sql<{ id: string }>`select '1' as id`.one())

  const either = (where: Queryable, id: number | undefined) => {
    // @ts-expect-error -- undefined is not a value in SQL
    where.sql`select ${id}`.catch(() => {})
    return where.sql<Note>`select ${id ?? null}`
  }
  const accepts: ((where: Database | Transaction) => unknown)[] = [where => either(where, 1)]
  assert.equal(accepts.length, 1)
})
