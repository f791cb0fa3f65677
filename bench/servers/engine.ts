// The bare engine: one handler that answers GET / with hello's JSON, without router, context or schema.
import { createServer } from 'node:net'
import { Engine, leanSocket, prepareHead } from 'millrace/http'

const ok = prepareHead(200, ['content-type', 'application/json'])
const missing = prepareHead(404)

// Only where idle connections are counted; the engine's own is 5 s.
const { KEEP_ALIVE_MS } = process.env
const limits = KEEP_ALIVE_MS === undefined ? {} : { keepAliveTimeoutMs: Number(KEEP_ALIVE_MS) }
const engine = new Engine(
  exchange => {
    if (exchange.method !== 'GET' || exchange.path !== '/') exchange.send(missing, null)
    else exchange.send(ok, JSON.stringify({ message: 'Hello High Concurrency API' }))
  },
  { limits },
)
const server = createServer({ noDelay: true, allowHalfOpen: true, pauseOnConnect: true }, socket =>
  engine.accept(leanSocket(socket)),
)
server.listen(Number(process.argv[2]), '127.0.0.1')
process.once('SIGTERM', () => process.exit())
