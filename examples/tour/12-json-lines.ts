// How do I send a long list while it is still being made?
import { App, fail, jsonLines } from 'millrace'
import * as z from 'zod'

const app = new App({ title: 'JSON Lines', version: '1.0.0' })

const Reading = z.object({ hour: z.int(), celsius: z.number() }).meta({ id: 'Reading' })
const stations = new Map([['harbour', [11.5, 12, 12.5]]])

// Each `yield` is a line, checked and filtered by the schema of the item. The next one is asked for when the client has taken the last.
app.get('/stations/{name}/readings', { returns: jsonLines(Reading) }, async function* ({ params, log }) {
  // Up to the first item a stream can fail like any other answer.
  const readings = stations.get(params.name) ?? fail(404, 'No such station')
  try {
    for (const [hour, celsius] of readings.entries()) yield { hour, celsius, sensor: 'internal' }
  } finally {
    // Also when the client leaves in the middle: whatever the readings come from is let go of here.
    log.info('done reading')
  }
})

// Anything that can be iterated will do.
app.get('/stations', { returns: jsonLines(z.string()) }, () => stations.keys())

export default app
