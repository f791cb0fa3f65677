import { App, content, dependency, events, jsonLines } from 'millrace'
import { copyText, postgres, sql } from 'millrace/postgres'
import * as z from 'zod'

const app = new App({ title: 'Stock', version: '1.0.0' })
const db = postgres()

const Product = z.object({ id: z.int(), name: z.string(), stock: z.int() }).meta({ id: 'Product' })
type Product = z.infer<typeof Product>

// As many rows as there are, in the memory of a batch, and no faster than the client takes them.
app.get('/products.jsonl', { returns: jsonLines(Product), uses: { db } }, ({ db, signal }) =>
  db.cursor<Product>`select id, name, stock from products order by id`.signal(signal),
)

// PostgreSQL writes the file.
app.get('/products.csv', { returns: content('text/csv'), uses: { db } }, ({ db, signal }) =>
  db.copyTo('copy (select id, name, stock from products order by id) to stdout (format csv, header)', { signal }),
)

// All rows or none.
app.put(
  '/products',
  { body: z.array(Product), returns: z.object({ copied: z.int() }), uses: { db } },
  async ({ body, db, signal }) => {
    const rows = body.map(({ id, name, stock }) => [id, name, 0, stock])
    return { copied: await db.copyFrom('copy products from stdin', copyText(rows), { signal }) }
  },
)

// The lookups of all requests that come together are one statement.
const products = dependency({ scope: 'worker', uses: { db } }, ({ db }) =>
  db.loader<Product>`select id, name, stock from products where id = any(${sql.keys})`.byKey('id'),
)

app.get(
  '/products/{id}',
  { params: z.object({ id: z.int() }), returns: { 200: Product, 404: null }, uses: { products } },
  async ({ params, products, reply }) => (await products.load(params.id)) ?? reply(404, null),
)

// Whoever commits `select pg_notify('stock', '7')`, or db.notify('stock', '7'), is heard here.
app.get(
  '/stock-changes',
  { returns: events(Product), uses: { db, products } },
  async function* ({ db, products, signal }) {
    for await (const note of db.listen('stock', { signal })) {
      // The connection was away for a moment: what changed meanwhile is not known, so all is sent again.
      if (note.type === 'lost') yield* db.cursor<Product>`select id, name, stock from products`.signal(signal)
      else {
        const product = await products.load(Number(note.payload), { signal })
        if (product) yield product
      }
    }
  },
)

export default app
