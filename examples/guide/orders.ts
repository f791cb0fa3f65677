import { App, dependency, fail } from 'millrace'
import * as z from 'zod'

export const mailer = dependency({ scope: 'worker' }, () => ({
  send: async (to: string): Promise<void> => fail(502, `no mail server for ${to}`),
}))

const app = new App({ title: 'Orders', version: '1.0.0' })

export const placeOrder = app.post(
  '/orders',
  {
    body: z.object({ email: z.email(), quantity: z.int().positive() }),
    returns: { 201: z.object({ quantity: z.int() }), 409: z.object({ left: z.int() }) },
    uses: { mailer },
  },
  ({ body, mailer, defer, reply }) => {
    if (body.quantity > 5) return reply(409, { left: 5 })
    defer(() => mailer.send(body.email))
    return { quantity: body.quantity }
  },
)

export default app
