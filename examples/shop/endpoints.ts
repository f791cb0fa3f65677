// Every endpoint of the shop, for typed clients. They import it with `import type`: nothing of it is loaded.
export * from './accounts/routes.ts'
export * from './cart/routes.ts'
export * from './catalog/routes.ts'
export * from './checkout/routes.ts'
export * from './orders/routes.ts'
export * from './reviews/routes.ts'
