// Accounts in PostgreSQL.
import { type Queryable, UniqueViolation } from 'millrace/postgres'
import { ORDER_COLUMNS, type OrderRow, readOrder } from '../orders/store.ts'
import type { Account, MyOrders, MyOrdersQuery } from './schema.ts'

interface Wait {
  readonly signal?: AbortSignal | undefined
}

/** @returns null when there is an account with this address */
export async function addAccount(db: Queryable, email: string, passwordHash: string): Promise<Account | null> {
  try {
    return await db.sql<Account>`
      insert into accounts (email, password_hash) values (${email}, ${passwordHash})
      returning id, email, created_at as "createdAt"`.one()
  } catch (error) {
    if (error instanceof UniqueViolation && error.constraint === 'accounts_email') return null
    throw error
  }
}

export interface Login {
  readonly id: string
  readonly passwordHash: string
}

export async function findLogin(db: Queryable, email: string, { signal }: Wait = {}): Promise<Login | null> {
  return db.sql<Login>`
    select id, password_hash as "passwordHash" from accounts where lower(email) = lower(${email})`
    .signal(signal)
    .maybe()
}

export async function keepHash(db: Queryable, id: string, passwordHash: string): Promise<void> {
  await db.sql`update accounts set password_hash = ${passwordHash} where id = ${id}`.count()
}

export async function findAccount(db: Queryable, id: string, { signal }: Wait = {}): Promise<Account | null> {
  return db.sql<Account>`select id, email, created_at as "createdAt" from accounts where id = ${id}`
    .signal(signal)
    .maybe()
}

/** Newest first. @returns null when the cursor is no order of this account */
export async function listOrders(
  db: Queryable,
  accountId: string,
  { limit, cursor }: MyOrdersQuery,
  { signal }: Wait = {},
): Promise<MyOrders | null> {
  if (cursor !== undefined && !(await isOrderOf(db, accountId, cursor, { signal }))) return null
  const rows = await db.sql<OrderRow>`
    select ${ORDER_COLUMNS} from orders
    where account_id = ${accountId} and (
      ${cursor ?? null}::uuid is null or
      (created_at, id) < (select before.created_at, before.id from orders before where before.id = ${cursor ?? null})
    )
    order by created_at desc, id desc limit ${limit + 1}`.signal(signal)
  const items = rows.slice(0, limit).map(readOrder)
  return { items, nextCursor: rows.length > limit ? items.at(-1)!.id : null }
}

async function isOrderOf(db: Queryable, accountId: string, orderId: string, { signal }: Wait): Promise<boolean> {
  const found = await db.sql`select from orders where id = ${orderId} and account_id = ${accountId}`
    .signal(signal)
    .maybe()
  return found !== null
}
