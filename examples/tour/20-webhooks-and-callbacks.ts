// How do I describe the requests that my application sends?
import { App } from 'millrace'
import * as z from 'zod'

const Payment = z.object({ id: z.int().max(1_000_000), cents: z.int().max(1_000_000) }).meta({ id: 'Payment' })
const Subscription = z
  .object({ notify: z.url({ protocol: /^https$/, hostname: z.regexes.domain }) })
  .meta({ id: 'Subscription' })

const app = new App({
  title: 'Webhooks and callbacks',
  version: '1.0.0',
  openapiTags: [
    { name: 'payments', description: 'Who has paid', externalDocs: { url: 'https://docs.example/payments' } },
  ],
  // Sent to everybody who has asked for them in another way: described, never served.
  webhooks: {
    'payment-made': { body: Payment, summary: 'Somebody has paid', tags: ['payments'], returns: { 204: null } },
  },
})

app.post(
  '/subscriptions',
  {
    tags: ['payments'],
    body: Subscription,
    returns: { 202: z.object({ accepted: z.boolean() }) },
    examples: { body: { usual: { summary: 'Over https', value: { notify: 'https://shop.example/paid' } } } },
    responses: { 202: { description: 'You will hear from us' } },
    // Sent to the URL that this very request names. Whoever answers 410 hears no more.
    callbacks: { paid: { '{$request.body#/notify}': { body: Payment, returns: { 204: null, 410: null } } } },
    openapi: { 'x-owner': 'billing' },
  },
  () => ({ accepted: true }),
)

export default app
