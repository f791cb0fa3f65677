// The table of HttpArena's profiles with a database: 100,000 items, made by the same rule in PostgreSQL and here.
import { connect } from 'millrace/postgres'

export interface ArenaItem {
  readonly id: number
  readonly name: string
  readonly category: string
  readonly price: number
  readonly quantity: number
  readonly active: boolean
  readonly tags: readonly string[]
  readonly rating: { readonly score: number; readonly count: number }
}

export const ITEMS = 100_000
export const CATEGORIES = ['electronics', 'tools', 'home', 'garden', 'toys', 'books', 'sports', 'office'] as const

/** The item with this id, as it is before anybody writes. */
export function arenaItem(id: number): ArenaItem {
  return {
    id,
    name: `Item ${id}`,
    category: CATEGORIES[id % CATEGORIES.length]!,
    price: 1 + ((id * 37) % 500),
    quantity: (id * 13) % 100,
    active: id % 3 !== 0,
    tags: ['new', `tag-${id % 10}`],
    rating: { score: (id * 7) % 51, count: (id * 11) % 500 },
  }
}

/** Makes the table anew: the profiles write into it. */
export async function fillItems(url: string): Promise<void> {
  const db = await connect({ url, maxConnections: 1 })
  try {
    await db.script(`
      drop table if exists items;
      create table items (
        id int primary key, name text not null, category text not null, price int not null, quantity int not null,
        active boolean not null, tags jsonb not null, rating_score int not null, rating_count int not null
      );
      insert into items
        select n, 'Item ' || n, (array['${CATEGORIES.join("', '")}'])[n % ${CATEGORIES.length} + 1],
          1 + n * 37 % 500, n * 13 % 100, n % 3 <> 0, jsonb_build_array('new', 'tag-' || n % 10), n * 7 % 51, n * 11 % 500
        from generate_series(1, ${ITEMS}) n;
      create index items_category on items (category, id)`)
    // Vacuum and statistics now, and not in the middle of a round.
    await db.script('analyze items')
  } finally {
    await db.close()
  }
}
