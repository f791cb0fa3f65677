// What holds for carts, whatever they are kept in.

/** Of one product; the table cart_items says so too. */
export const MAX_QUANTITY = 999

/** Different products; with the highest price and quantity, a total stays far below what a JSON number can hold exactly. */
export const MAX_LINES = 100

export function totalCents(items: readonly { readonly quantity: number; readonly priceCents: number }[]): number {
  return items.reduce((sum, { quantity, priceCents }) => sum + quantity * priceCents, 0)
}
