// What holds for an order, whatever it is kept in.
import type { Mail } from '../mail.ts'
import type { Order } from '../orders/schema.ts'
import type { Shortage } from './schema.ts'

/** A line of a cart beside what is in stock. */
export interface Line {
  readonly productId: number
  readonly name: string
  readonly quantity: number
  readonly stock: number
}

export function shortagesOf(lines: readonly Line[]): Shortage[] {
  return lines
    .filter(({ quantity, stock }) => quantity > stock)
    .map(({ productId, name, quantity, stock }) => ({ productId, name, wanted: quantity, left: stock }))
}

/** One sentence for people. */
export function tellShortages(shortages: readonly Shortage[]): string {
  const told = shortages.map(
    ({ name, wanted, left }) => `${name} (${wanted} wanted, ${left === 0 ? 'none' : left} left)`,
  )
  return `There is not enough of ${told.join(', ')}`
}

export function confirmation({ id, email, items, totalCents }: Order): Mail {
  const lines = items.map(({ quantity, name, priceCents }) => `${quantity} x ${name}  ${money(quantity * priceCents)}`)
  const text = ['Thank you for your order.', '', ...lines, '', `Total  ${money(totalCents)}`, '', `Order ${id}`, '']
  return { to: email, subject: `Your order ${id}`, text: text.join('\n') }
}

function money(cents: number): string {
  return `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`
}
