// A JSON list compressed on the loop and on the thread pool, by size and coding: where the one stops paying. See app/middleware/compressor.ts.
import { promisify } from 'node:util'
import {
  brotliCompress,
  brotliCompressSync,
  constants,
  gzip,
  gzipSync,
  zstdCompress,
  zstdCompressSync,
} from 'node:zlib'
import { aligned } from '../harness/report.ts'

const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 3 } }
const CODINGS = {
  zstd: { now: (body: Buffer) => zstdCompressSync(body, ZSTD), later: promisify(zstdCompress), options: ZSTD },
  br: { now: (body: Buffer) => brotliCompressSync(body, BROTLI), later: promisify(brotliCompress), options: BROTLI },
  gzip: { now: (body: Buffer) => gzipSync(body, { level: 6 }), later: promisify(gzip), options: { level: 6 } },
}

function list(bytes: number): Buffer {
  const products = []
  for (let id = 0; JSON.stringify(products).length < bytes; id++)
    products.push({ id, name: `Product ${(id * 7919) % 1000}`, priceCents: (id * 104_729) % 10_000, stock: id % 50 })
  return Buffer.from(JSON.stringify(products))
}

/** Microseconds of processor per body: of this thread, and of all threads. */
async function cpuOf(count: number, run: () => Promise<void> | void): Promise<{ loop: number; all: number }> {
  await run()
  const thread = process.threadCpuUsage()
  const whole = process.cpuUsage()
  for (let n = 0; n < count; n++) await run()
  const loop = process.threadCpuUsage(thread)
  const all = process.cpuUsage(whole)
  return { loop: (loop.user + loop.system) / count, all: (all.user + all.system) / count }
}

const rows: string[][] = []
for (const bytes of [1024, 4096, 16_384, 32_768, 65_536]) {
  const body = list(bytes)
  const count = Math.ceil(8e6 / bytes / 2)
  for (const [name, { now, later, options }] of Object.entries(CODINGS)) {
    const onLoop = await cpuOf(count, () => void now(body))
    const onPool = await cpuOf(
      count,
      async () => void (await (later as typeof later & typeof CODINGS.gzip.later)(body, options as object)),
    )
    const figures = [onLoop.loop, onPool.loop, onPool.all].map(us => us.toFixed(0))
    rows.push([name, String(bytes), String(now(body).byteLength), ...figures])
  }
}
const head = ['coding', 'bytes', 'compressed', 'on the loop us', 'pool: loop us', 'pool: all us']
process.stdout.write(`${aligned([head, ...rows])}\n\n`)
