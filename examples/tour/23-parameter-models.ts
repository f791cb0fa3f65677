// How do I read a query, headers and cookies as models?
import { App } from 'millrace'
import * as z from 'zod'

const app = new App({ title: 'Parameter models', version: '1.0.0' })

// A closed model refuses what it does not know; z.object ignores it; z.looseObject hands it on.
const Filter = z.strictObject({
  limit: z.int().min(1).max(100).default(20),
  'order-by': z.enum(['name', 'price']).default('name'), // the key is the name on the wire
  tag: z.set(z.string()).default(new Set()), // ?tag=a&tag=b
  since: z.date().optional(), // 2026-11-26T10:00:00Z
  price: z.union([z.literal('any'), z.int()]).default('any'), // members are tried in order
})

app.get('/products', { query: Filter }, ({ query: { 'order-by': orderBy, tag, since, ...rest } }) => ({
  ...rest,
  orderBy,
  tags: [...tag],
  since: since?.getTime(),
}))

// Humps stand for hyphens: x-request-source and accept-language. Each line of a repeated header is an item of a list.
const Headers = z.object({
  xRequestSource: z.array(z.string()).default([]),
  acceptLanguage: z.string().default('en'),
})
const Cookies = z.object({ theme: z.enum(['light', 'dark']).default('light'), visits: z.int().default(0) })

app.get('/me', { headers: Headers, cookies: Cookies }, ({ headers, cookies, reply }) =>
  reply(
    200,
    { language: headers.acceptLanguage, sources: headers.xRequestSource, theme: cookies.theme },
    { cookies: { visits: String(cookies.visits + 1) } },
  ),
)

export default app
