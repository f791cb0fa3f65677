// A shop: 100,000 products, reviews, carts, orders and accounts over PostgreSQL; with MongoDB for reviews and Redis for the cache where they are named.
//
//   npm start                                      two workers, and a database that comes with the project
//   npx millrace serve examples/shop/app.ts        the same with settings of your own
import { App } from 'millrace'
import { redisCache } from 'millrace/redis'
import { accounts } from './accounts/routes.ts'
import { carts } from './cart/routes.ts'
import { catalog } from './catalog/routes.ts'
import { checkout } from './checkout/routes.ts'
import { orders } from './orders/routes.ts'
import { reviews } from './reviews/routes.ts'

const app = new App({
  title: 'Millrace Shop',
  version: '1.0.0',
  license: { name: 'MIT', identifier: 'MIT' },
  description: 'A catalogue, reviews, carts, orders and accounts. Prices are whole cents.',
  openapiTags: [
    { name: 'Catalogue', description: 'What there is to buy.' },
    { name: 'Reviews', description: 'What people say about it.' },
    { name: 'Carts', description: 'What somebody is about to buy.' },
    { name: 'Orders', description: 'What has been bought.' },
    { name: 'Accounts', description: 'Who has bought it, for those who want to be known.' },
  ],
  // Without REDIS_URL the workers of one machine share what they cache over their supervisor.
  ...(process.env['REDIS_URL'] ? { lifespan: redisCache({ prefix: 'shop' }) } : {}),
  // The first worker of the first start fills the shop, on any machine.
  server: { startTimeout: '5m' },
})

// A browser that opens the shop's address finds its documentation.
app.get('/', { hidden: true, returns: { 307: null } }, ({ reply }) =>
  reply(307, null, { headers: { location: '/docs' } }),
)
app.include(catalog)
app.include(reviews)
app.include(carts)
app.include(checkout)
app.include(orders)
app.include(accounts)

export default app
