// The shop's reviews where no MongoDB is named: documents in PostgreSQL.
import { postgresReviews } from '../../examples/shop/reviews/postgres-store.ts'
import { routeCases, storeCases } from './support/review-cases.ts'
import { openShop } from './support/shop.ts'

const shop = await openShop(3)

routeCases('PostgreSQL', shop)
storeCases('PostgreSQL', postgresReviews(shop.db), async () => (await shop.product()).id)
