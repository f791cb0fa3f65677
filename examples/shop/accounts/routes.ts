// Accounts: signing up, signing in, and what only the customer may see.
import { fail, Router } from 'millrace'
import { requireScopes, scopesOf, strictPasswordForm, TokenAnswer, TokenRefusal } from 'millrace/security'
import { db } from '../database.ts'
import { Problem } from '../problem.ts'
import { customer, hasher, SCOPES, TOKEN_SECONDS, tokens } from './login.ts'
import { Account, MyOrders, MyOrdersQuery, NewAccount } from './schema.ts'
import * as store from './store.ts'

export const accounts = new Router({ tags: ['Accounts'] })

export const signUp = accounts.post(
  '/accounts',
  {
    operationId: 'signUp',
    summary: 'Sign up',
    body: NewAccount,
    returns: { 201: Account, 409: Problem },
    uses: { db },
  },
  async ({ body, db, signal }) => {
    const hash = await hasher.hash(body.password, { signal })
    return (await store.addAccount(db, body.email, hash)) ?? fail(409, 'There is an account with this email')
  },
)

export const logIn = accounts.post(
  '/token',
  {
    operationId: 'logIn',
    summary: 'Get a token for email and password',
    description:
      "OAuth 2's password grant (RFC 6749 §4.3), `username` is the email. Without `scope` the token is good for everything.",
    form: strictPasswordForm,
    returns: { 200: TokenAnswer, 400: TokenRefusal },
    uses: { db, tokens },
  },
  async ({ form, db, tokens, signal, reply }) => {
    const wanted = scopesOf(form.scope)
    if (!wanted.every(scope => Object.hasOwn(SCOPES, scope))) return reply(400, { error: 'invalid_scope' })
    // For an address without an account as well: how long it takes must not tell which addresses have one.
    const login = await store.findLogin(db, form.username, { signal })
    if (!(await hasher.verify(form.password, login?.passwordHash, { signal })) || !login)
      return reply(400, { error: 'invalid_grant', error_description: 'The email or the password is wrong' })
    if (hasher.needsRehash(login.passwordHash)) await store.keepHash(db, login.id, await hasher.hash(form.password))
    const scope = (wanted.length > 0 ? wanted : Object.keys(SCOPES)).join(' ')
    const token = await tokens.sign({ sub: login.id, scope }, { expiresIn: `${TOKEN_SECONDS}s` })
    return reply(
      200,
      { access_token: token, token_type: 'bearer', expires_in: TOKEN_SECONDS, scope },
      { headers: { 'cache-control': 'no-store' } },
    )
  },
)

export const getMyAccount = accounts.get(
  '/accounts/me',
  {
    operationId: 'getMyAccount',
    summary: 'Show your account',
    returns: { 200: Account },
    uses: { db, customer: requireScopes(customer, 'account') },
  },
  async ({ db, customer, signal }) =>
    (await store.findAccount(db, customer.id, { signal })) ?? fail(401, 'This account is gone'),
)

export const listMyOrders = accounts.get(
  '/accounts/me/orders',
  {
    operationId: 'listMyOrders',
    summary: 'List your orders',
    description: 'The newest first. Hand `nextCursor` back as `cursor` until it is null.',
    query: MyOrdersQuery,
    returns: { 200: MyOrders, 400: Problem },
    uses: { db, customer: requireScopes(customer, 'orders') },
    timeout: '5s',
  },
  async ({ query, db, customer, signal }) =>
    (await store.listOrders(db, customer.id, query, { signal })) ?? fail(400, 'The cursor is none of your orders'),
)
