// The shop's database: PostgreSQL, in the form the code expects and with something to sell before the first request.
import { dependency } from 'millrace'
import { migrate, postgres } from 'millrace/postgres'
import { seedCustomer } from './seed/customer.ts'
import { seed } from './seed/seed.ts'

// 1000: a burst of a thousand readers waits a moment for one of the connections and is answered, not sent away.
export const pool = postgres({ applicationName: 'shop', maxWaiting: 1000 })

/** Ready when migrated and seeded: the first worker does both, the others wait for it. */
export const db = dependency({ scope: 'worker', name: 'database', uses: { pool } }, async ({ pool, log }) => {
  const applied = await migrate(pool, new URL('migrations/', import.meta.url))
  if (applied.length > 0) log.info(`migrated the database: ${applied.join(', ')}`)
  const seeded = await seed(pool, productsWanted())
  if (seeded) log.info(`put ${seeded.products} products on the shelves in ${(seeded.tookMs / 1000).toFixed(1)} s`)
  const demo = process.env['SHOP_DEMO_PASSWORD']
  if (demo && (await seedCustomer(pool, demo))) log.info('made an account for demo@example.com')
  return pool
})

/** How many products an empty shop begins with: SHOP_SEED_PRODUCTS, or 100,000. */
function productsWanted(): number {
  const text = process.env['SHOP_SEED_PRODUCTS'] || '100000'
  const count = Number(text)
  if (!Number.isInteger(count) || count < 0 || count > 10_000_000)
    throw new Error(`SHOP_SEED_PRODUCTS is ${text}; expected a whole number from 0 to 10000000`)
  return count
}
