// An app with large bodies both ways, for the benches of slow clients and of uploads: written as an application would.
import { setTimeout as delay } from 'node:timers/promises'
import { App } from 'millrace'

const MIB = 2 ** 20
/** More than the kernel takes off our hands for a client that reads nothing. */
const large = new Uint8Array(16 * MIB).fill(46)

const app = new App({ title: 'Bodies', version: '1.0.0' })

app.get('/', async () => ({ message: 'Hello High Concurrency API' }))

app.get('/large', () => large)

app.post('/upload', { maxBodyBytes: 4096 * MIB, timeout: '10m' }, ({ request }) => received(request.body, 0))

/** For a reader that is slower than its client: 2 ms for each MiB. */
app.post('/upload-slowly', { maxBodyBytes: 4096 * MIB, timeout: '10m' }, ({ request }) => received(request.body, 2))

export default app

async function received(body: ReadableStream<Uint8Array> | null, pauseMsPerMiB: number): Promise<{ bytes: number }> {
  let bytes = 0
  let pausedAt = 0
  if (body)
    for await (const piece of body) {
      bytes += piece.byteLength
      if (pauseMsPerMiB > 0 && bytes - pausedAt >= MIB) {
        pausedAt = bytes
        await delay(pauseMsPerMiB)
      }
    }
  return { bytes }
}
