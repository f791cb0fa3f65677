import { App, Cache, cache } from 'millrace'
import * as z from 'zod'

const app = new App({ title: 'Caching', version: '1.0.0' })
const params = z.object({ city: z.string() })
let asked = 0

// A cache of its own bounds; everything else may share `cache`.
const forecasts = new Cache({ name: 'forecasts', maxEntries: 1000 })

// A slow source, and a value that is needed for more than one answer.
async function forecast(city: string): Promise<{ city: string; asked: number }> {
  return forecasts.get(
    city,
    async ({ signal }) => {
      signal.throwIfAborted()
      return { city, asked: ++asked }
    },
    { ttl: '5m', staleFor: '1h', tags: ['forecasts', `forecast:${city}`] },
  )
}

app.get('/forecasts/{city}', { params }, ({ params }) => forecast(params.city))

// A whole answer: kept by the decoded inputs, sent as finished bytes.
app.get(
  '/pages/{city}',
  { params, cache: { ttl: '5m', tags: ({ params }) => [`forecast:${params.city}`] } },
  async ({ params }) => ({ title: `Weather in ${params.city}`, forecast: await forecast(params.city) }),
)

app.post('/forecasts/{city}/changed', { params, returns: { 204: null } }, async ({ params }) => {
  await cache.invalidate(`forecast:${params.city}`)
})

export default app
