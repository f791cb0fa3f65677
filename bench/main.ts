// npm run bench -- NAME: runs one bench.
import { churn } from './churn.ts'
import { connections } from './connections.ts'
import { dbRead } from './db-read.ts'
import { dev } from './dev.ts'
import { headers } from './headers.ts'
import { hello } from './hello.ts'
import { profile } from './httparena.ts'
import { databaseProfile } from './httparena-database.ts'
import { readOptions, USAGE, type Options } from './harness/options.ts'
import { micro } from './micro.ts'
import { processes } from './processes.ts'
import { queryLanes } from './query-lanes.ts'
import { routes } from './routes.ts'
import { shop } from './shop.ts'
import { shopRead } from './shop-read.ts'
import { skew } from './skew.ts'
import { slow } from './slow.ts'
import { sse } from './sse.ts'
import { types } from './types.ts'
import { uploadMemory } from './upload-memory.ts'
import { webSocket } from './websocket.ts'

const BENCHES: Readonly<Record<string, (options: Options) => Promise<void>>> = {
  hello,
  headers,
  baseline: profile('baseline'),
  'limited-conn': profile('limited-conn'),
  pipelined: profile('pipelined'),
  json: profile('json'),
  'json-comp': profile('json-comp'),
  upload: profile('upload'),
  static: profile('static'),
  'async-db': databaseProfile('async-db'),
  crud: databaseProfile('crud'),
  api: databaseProfile('api'),
  shop,
  'shop-read': shopRead,
  'db-read': dbRead,
  'query-lanes': queryLanes,
  connections,
  slow,
  sse,
  'upload-memory': uploadMemory,
  routes,
  ws: webSocket,
  dev,
  processes,
  churn,
  skew,
  types,
  micro,
}

// Ending at once runs the exit listeners, which take the servers along.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

try {
  await run()
} catch (error) {
  process.stderr.write(`bench: ${(error as Error).message}\n`)
  process.exitCode = 1
}

async function run(): Promise<void> {
  if (process.platform !== 'linux') throw new Error('the benches read /proc and pin to cores: they run on Linux')
  const options = readOptions(process.argv.slice(2))
  const bench = BENCHES[options.bench]
  if (!bench) throw new Error(`there is no bench ${options.bench}\n\n${USAGE}`)
  await bench(options)
}
