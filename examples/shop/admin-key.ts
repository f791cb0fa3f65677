// The key of the shopkeeper, and the guard of the routes that it opens.
import { dependency, fail } from 'millrace'
import { apiKey, timingSafeEqual } from 'millrace/security'
import { keptSecret } from './kept-secret.ts'

/** Relative to the working directory. */
export const ADMIN_KEY_FILE = '.millrace/shop-admin-key'

export function adminKey(): Promise<string> {
  return keptSecret({ variable: 'SHOP_ADMIN_KEY', file: ADMIN_KEY_FILE })
}

const expected = dependency({ scope: 'worker', name: 'admin key' }, adminKey)

/** For routes that only the shopkeeper may use: 401 without the right X-API-Key, before anything else is read. */
export const shopkeeper = dependency(
  {
    name: 'shopkeeper',
    uses: { expected },
    security: apiKey({
      in: 'header',
      name: 'X-API-Key',
      realm: 'shop',
      description: 'The value of SHOP_ADMIN_KEY, for the shopkeeper.',
    }),
    returns: { 401: null },
  },
  ({ expected, key }) => {
    if (!timingSafeEqual(key, expected)) fail(401, 'This X-API-Key is not valid')
  },
)
