// Workers that have served long enough are replaced under load, and nobody notices.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import type { ServerStatus } from '../../src/server/status.ts'
import { CLOSE, type RunningServer, startServer, temporaryFolder } from './running-server.ts'
import { SteadyLoad } from './steady-load.ts'

const limits = { timeout: 240_000, concurrency: 2 }
const pids = (status: ServerStatus): number[] => status.workers.map(({ pid }) => pid)

async function underLoad(context: TestContext, flags: readonly string[], environment: Record<string, string> = {}) {
  const server = await startServer(context, ['serve', 'faulty.ts', '--port', '0', '--workers', '2', ...flags], {
    environment,
  })
  const load = new SteadyLoad(context, server.port, 20, 10)
  context.after(() => load.stop())
  await load.more(50)
  return { server, load, before: pids(await server.status()) }
}

/** Waits for it, and counts how many processes there were at most. */
async function mostUntil(server: RunningServer, isSo: (status: ServerStatus) => boolean): Promise<number> {
  let most = 0
  await server.statusWhen(status => {
    // Those that drain have nothing to do with the surge: they are on their way out.
    most = Math.max(most, status.workers.filter(({ state }) => state !== 'draining').length)
    return isSo(status)
  })
  return most
}

async function nothingBroken(context: TestContext, load: SteadyLoad): Promise<void> {
  await load.more(50)
  await load.stop()
  context.diagnostic(`answered ${load.answered}, broken ${load.broken.length}`)
  assert.deepEqual(load.broken, [])
}

describe('recycling under load', limits, () => {
  test('on requests replaces one worker after the other, never two at once, and no request fails', async context => {
    const { server, load, before } = await underLoad(context, ['--max-requests', '200', '--max-requests-jitter', '50'])
    const most = await mostUntil(server, ({ recycles }) => recycles.requests >= 3)
    assert.ok(most <= 3, `${most} workers at once`)
    await nothingBroken(context, load)
    const status = await server.status()
    assert.ok(status.workers.filter(({ pid }) => before.includes(pid)).every(({ state }) => state === 'draining'))
    assert.equal(status.restarts, 0)
    const metrics = await (await fetch(`${server.admin}/metrics`, CLOSE)).text()
    assert.match(metrics, /^millrace_worker_recycles_total\{reason="requests"\} [3-9]/m)
  })

  test('on age replaces them, and no request fails', async context => {
    const { server, load } = await underLoad(context, ['--max-worker-age', '2s'])
    await mostUntil(server, ({ recycles }) => recycles.age >= 2)
    await nothingBroken(context, load)
    assert.match(server.errors, /is \d+ s old and is replaced/)
  })

  test('on memory replaces the one that has grown, and no request fails', async context => {
    const { server, load, before } = await underLoad(context, ['--max-worker-memory', '400MiB'])
    const answer = await fetch(`${server.url}/grow/500`, CLOSE)
    const { pid } = (await answer.json()) as { pid: number }
    await mostUntil(server, ({ recycles }) => recycles.memory === 1)
    await server.statusWhen(status => !pids(status).includes(pid))
    await nothingBroken(context, load)
    assert.match(server.errors, new RegExp(`\\(pid ${pid}\\) has grown to \\d+ MiB and is replaced`))
    assert.equal(pids(await server.status()).filter(pid => before.includes(pid)).length, 1)
  })

  test('keeps the old worker while its successor does not start, and a reload goes first', async context => {
    const folder = await temporaryFolder(context)
    const boot = join(folder, 'boot')
    await writeFile(boot, '')
    const { server, load, before } = await underLoad(context, ['--max-requests', '300'], { BOOT: boot })
    await writeFile(boot, 'throw')
    await server.says(
      /is kept, because the next one did not start; tried again in 1 s: the app did not start: .*no database/,
    )
    assert.deepEqual(
      (await server.status()).workers.filter(({ state }) => state === 'ready').map(({ pid }) => pid),
      before,
    )
    await writeFile(boot, 'hang')
    await server.statusWhen(status => status.workers.length === 3)
    await writeFile(boot, '')
    // The recycling that waits for the one that hangs would do so for a minute.
    server.signal('SIGHUP')
    await server.says(/reloaded 2 workers/)
    await nothingBroken(context, load)
  })
})
