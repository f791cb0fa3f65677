// What a step of the wall clock does to a server: the Date field follows, and nothing expires for it.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import net from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { CLOSE, ROOT, startServer, temporaryFolder } from './running-server.ts'

const TEN_HOURS_MS = 36_000_000

for (const [direction, stepMs] of [
  ['forwards', TEN_HOURS_MS],
  ['backwards', -TEN_HOURS_MS],
] as const)
  test(
    `a clock that jumps ten hours ${direction} expires nothing: no request, connection, stream, cached answer or worker`,
    {
      timeout: 240_000,
    },
    async context => {
      const folder = await temporaryFolder(context)
      const file = join(folder, 'step')
      await writeFile(file, '0')
      const preload = pathToFileURL(join(ROOT, 'test/fixtures/step-clock.mjs')).href
      const flags = [
        '--workers',
        '1',
        '--max-worker-age',
        '1h',
        '--keep-alive-timeout',
        '30s',
        '--worker-timeout',
        '10s',
      ]
      const server = await startServer(context, ['serve', 'clock.ts', '--port', '0', ...flags], {
        environment: { CLOCK_STEP: file, NODE_OPTIONS: `--import ${preload}` },
      })
      const json = async (path: string) =>
        (await (await fetch(server.url + path, CLOSE)).json()) as Record<string, number>

      const kept = net.connect(server.port, '127.0.0.1')
      const askKept = async (): Promise<string> => {
        kept.write('GET /now HTTP/1.1\r\nHost: kept\r\n\r\n')
        return String((await once(kept, 'data'))[0])
      }
      assert.match(await askKept(), /^HTTP\/1\.1 200 /)
      assert.equal((await json('/cached'))['loads'], 1)
      const events = (await fetch(`${server.url}/events`)).body!.getReader()
      await events.read()
      const slow = fetch(`${server.url}/slow`)

      await writeFile(file, String(stepMs))
      const isStepped = async () => Math.abs((await json('/now'))['nowMs']! - Date.now()) > TEN_HOURS_MS / 2
      while (!(await isStepped())) await new Promise(resolve => setTimeout(resolve, 20))

      // Two pings later every time-out has been looked at, in the new time.
      for (let n = 0; n < 2; n++) assert.equal(Buffer.from((await events.read()).value!).toString(), ': ping\n\n')
      const answer = await askKept()
      const dateMs = Date.parse(/^date: (.+)\r$/im.exec(answer)![1]!)
      assert.ok(Math.abs(dateMs - (Date.now() + stepMs)) < 60_000, answer)
      assert.equal((await json('/cached'))['loads'], 1)
      assert.equal((await slow).status, 200)
      const status = await server.status()
      assert.deepEqual([status.restarts, status.recycles.age, status.workers.length], [0, 0, 1])
      assert.ok(status.upForMs >= 0 && status.upForMs < 600_000)
      assert.doesNotMatch(server.errors, /silent|replaced/)
      kept.destroy()
      await events.cancel()
      server.signal('SIGTERM')
      assert.equal((await server.exited).code, 0)
    },
  )
