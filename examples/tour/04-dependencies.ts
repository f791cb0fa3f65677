// How do handlers get what they need?
import { App, dependency, fail } from 'millrace'
import * as z from 'zod'

// Once per worker: made before the first request; what follows `yield` runs after the last.
const accounts = dependency({ scope: 'worker' }, function* () {
  const balances = new Map([
    ['ada', 100],
    ['bob', 0],
  ])
  yield balances
  balances.clear()
})

// Once per request, with an input of its own. It may end the request.
const user = dependency({ uses: { accounts }, headers: z.object({ 'x-user': z.string() }) }, ({ accounts, headers }) =>
  accounts.has(headers['x-user']) ? headers['x-user'] : fail(401, 'Who are you?'),
)

// For each use. When the handler throws, `yield` throws here, and nothing is kept.
const transaction = dependency({ scope: 'call', uses: { accounts } }, function* ({ accounts }) {
  const draft = new Map(accounts)
  yield draft
  for (const [name, balance] of draft) accounts.set(name, balance)
})

const app = new App({ title: 'Dependencies', version: '1.0.0' })

app.get('/balance', { uses: { accounts, user } }, ({ accounts, user }) => ({ user, balance: accounts.get(user) }))

app.post(
  '/payments',
  {
    body: z.object({ to: z.string(), amount: z.int().positive() }),
    uses: { user, draft: transaction },
  },
  ({ body, user, draft }) => {
    const left = draft.get(user)! - body.amount
    draft.set(user, left)
    const received = draft.get(body.to) ?? fail(404, `Nobody is called ${body.to}`)
    draft.set(body.to, received + body.amount)
    return left < 0 ? fail(409, 'Not enough money') : { left }
  },
)

export default app
