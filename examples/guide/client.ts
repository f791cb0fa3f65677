import { AnswerError, CallError, client, unwrap } from 'millrace/client'
import type * as routes from './orders.ts'

// Types are all it takes from the server: nothing of orders.ts is loaded here.
export const shop = client<typeof routes>(process.env['SHOP_URL'] ?? 'http://localhost:8000', {
  timeout: '10s',
  retry: { attempts: 3, longestWait: '5s' },
})

export async function order(email: string, quantity: number): Promise<string> {
  const answer = await shop.post('/orders', { body: { email, quantity } })
  switch (answer.status) {
    case 201:
      return `ordered ${answer.body.quantity}`
    case 409: // declared by the route, so `body` is what it declares
      return `only ${answer.body.left} left`
    case 422: // Millrace's own, as a problem document
      return answer.body.errors.map(({ loc, msg }) => `${loc.join('.')}: ${msg}`).join('\n')
    default:
      return answer.body.title
  }
}

// Where only the good answer matters: the rest is thrown, and its message says what happened.
export async function orderOrThrow(email: string): Promise<number> {
  const { quantity } = await unwrap(shop.post('/orders', { body: { email, quantity: 1 } }))
  return quantity
}

export function explain(error: unknown): string {
  if (error instanceof AnswerError) return `${error.answer.status}: ${error.message}`
  if (error instanceof CallError) return `${error.code}: ${error.message}`
  throw error
}
