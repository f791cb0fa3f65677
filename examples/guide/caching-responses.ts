import { App } from 'millrace'
import { compress, responseCache } from 'millrace/middleware'

const app = new App({ title: 'Caching responses', version: '1.0.0' })
let asked = 0

// Somebody else's handler.
function rates(): Response {
  return Response.json({ eur: 1.07, asked: ++asked }, { headers: { 'cache-control': 's-maxage=60' } })
}

app.mount('/rates', rates, {
  use: [compress(), responseCache({ tags: ['rates'], vary: ['accept-language'], xCache: true })],
})

export default app
