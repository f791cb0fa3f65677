// An account to try the shop with, for whoever wants one: SHOP_DEMO_PASSWORD is its password.
import type { Database } from 'millrace/postgres'
import { hasher } from '../accounts/login.ts'
import { addAccount } from '../accounts/store.ts'

/** @returns false when there is one already; its password stays as it is */
export async function seedCustomer(db: Database, password: string): Promise<boolean> {
  return (await addAccount(db, 'demo@example.com', await hasher.hash(password))) !== null
}
