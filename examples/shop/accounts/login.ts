// Who asks: tokens that the shop gives out at /token, and the dependencies that read them.
import { dependency } from 'millrace'
import { checkScopes, jwt, oauth2Password, optional, passwords } from 'millrace/security'
import * as z from 'zod'
import { keptSecret } from '../kept-secret.ts'

/** What a token can be good for. */
export const SCOPES = { account: 'See your account', orders: 'See your orders' } as const

/** How long one is good: nothing can take it back. */
export const TOKEN_SECONDS = 3600

/** Two at a time in each worker; whoever comes in a rush waits. */
export const hasher = passwords()

export const tokens = dependency({ scope: 'worker', name: 'tokens' }, async () =>
  jwt({
    algorithms: ['HS256'],
    secret: await keptSecret({ variable: 'SHOP_TOKEN_SECRET', file: '.millrace/shop-token-secret' }),
    issuer: 'millrace-shop',
    claims: z.object({ sub: z.uuid(), scope: z.string() }),
  }),
)

const login = oauth2Password({
  tokenUrl: '/token',
  scopes: SCOPES,
  description: 'The email and password that you signed up with.',
})

export interface Customer {
  /** Of the account. */
  readonly id: string
}

/** Whoever is signed in; 401 for everybody else. */
export const customer = dependency(
  { name: 'customer', uses: { tokens }, security: login, returns: { 401: null } },
  async ({ tokens, token, scopes, signal }): Promise<Customer> => {
    const { sub, scope } = await tokens.verify(token, { signal })
    checkScopes(scope, scopes)
    return { id: sub }
  },
)

/** Whoever asks: a customer, or undefined for a guest. A token that is no longer good is told, and not taken for a guest's. */
export const visitor = dependency(
  { name: 'visitor', uses: { tokens }, security: optional(login), returns: { 401: null } },
  async ({ tokens, token, signal }): Promise<Customer | undefined> =>
    token === undefined ? undefined : { id: (await tokens.verify(token, { signal })).sub },
)
