// One row by key on node:http and pg, with the least that answers correctly.
import { createServer } from 'node:http'
import pg from 'pg'

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 })

createServer(async (request, response) => {
  const id = Number(request.url.slice('/products/'.length))
  if (!request.url.startsWith('/products/') || !Number.isInteger(id)) return response.writeHead(404).end()
  const { rows } = await pool.query({
    name: 'find-product',
    text: 'select id, name, description, category, price_cents as "priceCents", stock from products where id = $1',
    values: [id],
  })
  if (!rows[0]) return response.writeHead(404).end()
  const body = JSON.stringify(rows[0])
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body)
}).listen(Number(process.argv[2]), '127.0.0.1')
process.once('SIGTERM', () => process.exit())
