// Declares, starts and describes an app of as many routes as it is told, and prints what each cost; for bench routes. Serves nobody.
import { App } from 'millrace'
import * as z from 'zod'
import { RouteTable } from '../../src/app/route-table.ts'
import type { RoutesCost } from '../routes.ts'

const LOOKUPS = 2_000_000

const count = Number(process.argv[2])
const collect = globalThis.gc!

function cpuMs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1000
}

function findNs(table: RouteTable<number>, paths: readonly string[]): number {
  let found = 0
  let began = 0
  // The first half warms up.
  for (let n = 0; n < LOOKUPS; n++) {
    if (n === LOOKUPS / 2) began = performance.now()
    found += table.find('GET', paths[n % paths.length]!)!.target
  }
  const ns = ((performance.now() - began) * 1e6) / (LOOKUPS / 2)
  if (Number.isNaN(found)) throw new Error('a route was not found')
  return ns
}

collect()
const heapBefore = process.memoryUsage().heapUsed
const numbers = Array.from({ length: count }, (_, n) => n)
const log = { debug() {}, info() {}, warn() {}, error() {} }
let since = process.cpuUsage()
const app = new App({ title: 'Many routes', log })
for (const n of numbers)
  app.post(
    `/things${n}/{id}`,
    {
      params: z.object({ id: z.int().positive() }),
      query: z.object({ page: z.int().default(1), q: z.string().optional() }),
      body: z.object({
        name: z.string().min(1),
        price: z.number().positive(),
        stock: z.int(),
        tags: z.array(z.string()),
      }),
      returns: z.object({ id: z.int(), name: z.string(), price: z.number(), stock: z.int() }).meta({ id: `Thing${n}` }),
    },
    ({ params, body }) => ({ id: params.id, name: body.name, price: body.price, stock: body.stock }),
  )
const declareCpuMs = cpuMs(since)
since = process.cpuUsage()
const started = await app.start()
const startCpuMs = cpuMs(since)
collect()
const heapMiB = (process.memoryUsage().heapUsed - heapBefore) / 2 ** 20
since = process.cpuUsage()
app.openapi()
const documentCpuMs = cpuMs(since)
const table = new RouteTable<number>()
for (const n of numbers) {
  table.add('GET', `/things${n}/{id}`, n)
  table.add('GET', `/things${n}/all`, n)
}
const cost: RoutesCost = {
  routes: count,
  declareCpuMs,
  startCpuMs,
  documentCpuMs,
  heapMiB,
  findNs: findNs(
    table,
    numbers.map(n => `/things${n}/${n + 7}`),
  ),
  findPlainNs: findNs(
    table,
    numbers.map(n => `/things${n}/all`),
  ),
}
process.stdout.write(JSON.stringify(cost))
await started.stop(0)
