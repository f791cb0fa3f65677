import { createServer } from 'node:http'
import { App } from 'millrace'

const shop = new App({ title: 'Shop', version: '1.0.0' })

shop.get('/products/{id}', ({ params }) => ({ id: params.id }))
shop.post('/uploads', { maxBodyBytes: 64 * 1024 * 1024 }, async ({ request }) => {
  let bytes = 0
  for await (const piece of request.body ?? []) bytes += piece.byteLength
  return { bytes }
})

const handler = shop.nodeHandler({ fallThrough: true })

export const server = createServer((req, res) =>
  // Called for what no route of the shop takes: what was there before goes on.
  handler(req, res, () => res.writeHead(404).end('not in the shop')),
)

export async function close(): Promise<void> {
  server.close()
  await shop.close()
}

// For what speaks Request and Response.
export const { fetch } = shop
