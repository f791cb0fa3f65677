import { client } from 'millrace/client'
import type * as routes from './orders.ts'

let token = ''

export const shop = client<typeof routes>(process.env['SHOP_URL'] ?? 'http://localhost:8000', {
  // Asked before each call; with the refused value after a 401, once for however many calls were refused.
  authorization: async rejected => {
    if (token === '' || rejected === `Bearer ${token}`) token = await logIn()
    return `Bearer ${token}`
  },
})

async function logIn(): Promise<string> {
  return `token-${Date.now()}` // in real life: a call to where tokens come from
}
