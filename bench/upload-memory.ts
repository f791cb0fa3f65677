// upload-memory: does 1 GiB stream through a route in constant memory, also where the route is slower than the client?
import { setTimeout as delay } from 'node:timers/promises'
import type { Upload, UploadReport } from './clients/upload.ts'
import { pinning, say } from './harness/compare.ts'
import { start, type Contender } from './harness/contender.ts'
import { helper } from './harness/helper.ts'
import { circumstances } from './harness/machine.ts'
import { collecting, settledRssKiB } from './harness/memory.ts'
import type { Options } from './harness/options.ts'
import { usageOfTree } from './harness/process-tree.ts'
import { aligned, writeResult } from './harness/report.ts'
import { serve } from './hello.ts'

const MIB = 2 ** 20
const BYTES = 1024 * MIB
const WARM_UP_BYTES = 64 * MIB
const LOOK_EVERY_MS = 25

interface Streamed {
  readonly path: string
  readonly seconds: number
  readonly beforeMiB: number
  readonly mostMiB: number
  readonly afterMiB: number
}

const server: Contender = {
  name: 'millrace',
  about: 'millrace serve bench/servers/bodies.ts --workers 1, shipped defaults',
  command: port => collecting(serve('bench/servers/bodies.ts', port)),
}

export async function uploadMemory(options: Options): Promise<void> {
  const pins = await pinning()
  const streamed: Streamed[] = []
  for (const path of ['/upload', '/upload-slowly']) {
    say(`1 GiB to ${path}`)
    streamed.push(await upload(path, pins))
  }
  const rows = streamed.map(each => [
    each.path,
    each.seconds.toFixed(1),
    (BYTES / MIB / each.seconds).toFixed(0),
    each.beforeMiB.toFixed(1),
    each.mostMiB.toFixed(1),
    each.afterMiB.toFixed(1),
  ])
  const head = ['1 GiB to', 'seconds', 'MiB/s', 'MiB before', 'most', 'after']
  const output = options.json ? streamed.map(each => JSON.stringify(each)).join('\n') : aligned([head, ...rows])
  process.stdout.write(`${output}\n`)
  if (!options.save) return
  const about = circumstances({})
  const result = { bench: 'upload-memory', ...about, bytes: BYTES, streamed }
  say(`written: ${writeResult(about.date, 'upload-memory', result)}`)
}

async function upload(path: string, pins: Awaited<ReturnType<typeof pinning>>): Promise<Streamed> {
  const running = await start(server, pins.server, { path: '/' })
  const client = helper('upload.ts', pins.load)
  const port = Number(new URL(running.origin).port)
  const send = async (bytes: number) => {
    const report = await client.ask<UploadReport>({ port, path, bytes } satisfies Upload)
    const wanted = JSON.stringify({ bytes })
    if (report.status !== 200 || report.answer !== wanted)
      throw new Error(`${path} answers ${report.status} ${report.answer} instead of ${wanted}`)
    return report
  }
  try {
    await send(WARM_UP_BYTES)
    const beforeKiB = await settledRssKiB(running)
    const watching = new AbortController()
    const most = mostRssKiB(running.pid, watching.signal)
    const { seconds } = await send(BYTES)
    watching.abort()
    const mostKiB = await most
    const afterKiB = await settledRssKiB(running)
    return { path, seconds, beforeMiB: beforeKiB / 1024, mostMiB: mostKiB / 1024, afterMiB: afterKiB / 1024 }
  } finally {
    await Promise.all([client.stop(), running.stop()])
  }
}

async function mostRssKiB(pid: number, until: AbortSignal): Promise<number> {
  let most = 0
  while (!until.aborted) {
    most = Math.max(most, usageOfTree(pid).rssKiB)
    await delay(LOOK_EVERY_MS)
  }
  return most
}
