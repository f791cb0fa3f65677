// Makes products that could be for sale: the n-th product is the same on every machine and in every run, however many are made.
import { random, type Random } from './random.ts'
import { ADJECTIVES, BRANDS, CATEGORIES, COLOURS, PROMISES, USES, type Kind } from './words.ts'

export interface SeedProduct {
  readonly id: number
  readonly name: string
  readonly description: string
  readonly category: string
  readonly priceCents: number
  readonly stock: number
}

const NAMES = Object.keys(CATEGORIES)

/** Products with the ids `first`, `first + 1`, ... */
export function makeProducts(first: number, count: number): SeedProduct[] {
  return Array.from({ length: count }, (_, index) => makeProduct(first + index))
}

function makeProduct(id: number): SeedProduct {
  // A generator for each product: neighbours in the sequence of seeds are unrelated after the first step.
  const chance = random(id)
  const category = chance.pick(NAMES)
  const { materials, care, kinds } = CATEGORIES[category]!
  const kind = chance.pick(kinds)
  const brand = chance.pick(BRANDS)
  const adjective = chance.pick(ADJECTIVES)
  const material = chance.pick(materials)
  const colour = chance.pick(COLOURS)
  const name = `${brand} ${adjective} ${material} ${kind.name}, ${colour}`
  const description = [
    `${adjective} ${kind.name.toLowerCase()} of ${material.toLowerCase()} in ${colour}, ${chance.pick(USES)}.`,
    chance.pick(PROMISES),
    chance.pick(care),
  ].join(' ')
  return { id, name, description, category, priceCents: price(kind, chance), stock: stock(chance) }
}

// Prices end as they do in shops: 4.99, 34.95, 120.00.
function price({ fromCents, toCents }: Kind, chance: Random): number {
  const units = Math.floor(chance.between(fromCents, toCents) / 100)
  return units * 100 + chance.pick([0, 49, 90, 95, 99])
}

// A few are sold out, some are nearly so, most are there in plenty.
function stock(chance: Random): number {
  if (chance.chance(0.03)) return 0
  return chance.chance(0.15) ? chance.between(1, 9) : chance.between(10, 500)
}
