// `npm run mutants -- --count 200000 --seed 1`: random mutants of requests through our engine and node:http, and what they differ in.
import { once } from 'node:events'
import { readdirSync, existsSync } from 'node:fs'
import net from 'node:net'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Engine } from '../../../src/http/engine.ts'
import { prepareHead } from '../../../src/http/prepared-head.ts'
import type { Seen } from './observe.ts'
import { runMutants } from './run.ts'

//
// A mutant that ours accepts and node refuses, or that both accept and frame differently, is explained by a reason in reasons.ts or
// printed as unexplained; then, and when a promise was broken or something leaked, the exit code is 1.

const { values } = parseArgs({ options: { count: { type: 'string', default: '200000' }, seed: { type: 'string', default: '1' }, show: { type: 'string', default: '5' } } })
const [count, seed, show] = [values.count, values.seed, values.show].map(Number) as [number, number, number]

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
let rejections = 0
process.on('unhandledRejection', () => rejections++)

const ok = prepareHead(200)
const engine = new Engine(exchange => exchange.send(ok, 'fine'))
const server = net.createServer({ allowHalfOpen: true }, socket => engine.accept(socket)).listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as net.AddressInfo

/** A clean request on a new connection. */
async function ask(): Promise<void> {
  const socket = net.connect(port, '127.0.0.1')
  socket.end('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  let text = ''
  for await (const piece of socket) text += String(piece)
  if (!text.startsWith('HTTP/1.1 200 OK\r\n') || !text.endsWith('fine')) throw new Error(`answered ${JSON.stringify(text)}`)
}

const descriptors = () => (existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : 0)
function heapMiB(): number {
  collect()
  return process.memoryUsage().heapUsed / 2 ** 20
}

// Everything is compiled and every pool is filled before the base is taken.
await runMutants({ count: 2000, seed: seed + 1, afterBatch: ask })
const base = { heap: heapMiB(), descriptors: descriptors() }
const started = performance.now()
let asked = 0
const report = await runMutants({
  count,
  seed,
  async afterBatch(cases) {
    await ask()
    asked++
    if (cases % 20_000 === 0) console.error(`${cases} of ${count}, ${((performance.now() - started) / 1000).toFixed(0)} s`)
  },
})
const seconds = (performance.now() - started) / 1000

const total = (kind: string) =>
  [...report.counts].filter(([label]) => label.startsWith(kind)).reduce((sum, [, number]) => sum + number, 0)
const row = (label: string, number: number) => console.log(`${String(number).padStart(9)}  ${label}`)
console.log(`${report.cases} mutants, seed ${seed}, ${seconds.toFixed(0)} s`)
for (const kind of ['both accept', 'both refuse', 'ours waits', 'only node accepts', 'explained']) {
  row(kind, total(kind))
  const named = [...report.counts].filter(([label]) => label.startsWith(`${kind}: `)).sort((a, b) => b[1] - a[1])
  for (const [label, number] of named) row(`  ${label.slice(kind.length + 2)}`, number)
}
row('unexplained', report.unexplained.length)
row('broke a promise', report.broken.length)
row('unhandled rejections', rejections)
row('kept as corpus', report.kept)
row('clean requests answered in between', asked)
server.close()
await once(server, 'close')
const leaked = { heap: heapMiB() - base.heap, descriptors: descriptors() - (base.descriptors - 1) }
console.log(`heap ${leaked.heap >= 0 ? '+' : ''}${leaked.heap.toFixed(1)} MiB, descriptors ${leaked.descriptors >= 0 ? '+' : ''}${leaked.descriptors}`)

for (const { bytes, ours, node, at } of report.unexplained.slice(0, show)) {
  const told = ({ requests, refusal }: Seen) => JSON.stringify({ requests, refusal })
  console.log(`\n${JSON.stringify(bytes.toString('latin1'))}\n  differ in request ${at + 1}`)
  console.log(`  ours ${told(ours)}\n  node ${told(node)}`)
}
for (const { bytes, error } of report.broken.slice(0, show)) console.log(JSON.stringify(bytes.toString('latin1')), error)
// 8 MiB: what V8 keeps of compiled code and statistics varies by less; 200,000 leaked connections would be hundreds.
const isClean = report.unexplained.length + report.broken.length + rejections === 0 && leaked.heap < 8 && leaked.descriptors <= 0
process.exitCode = isClean ? 0 : 1
