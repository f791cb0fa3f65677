// The number of workers follows what there is to do: with real event loops that are really busy.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CLOSE, RunningCommand, startServer } from './running-server.ts'
import { SteadyLoad } from './steady-load.ts'

const limit = { timeout: 240_000 }

test('busy event loops call another worker, up to maxWorkers, and no request is lost', limit, async context => {
  const server = await startServer(context, ['serve', 'busy.ts', '--port', '0', '--max-workers', '2'])
  assert.equal((await server.status()).workers.length, 1)
  const load = new SteadyLoad(context, server.port, 8)
  await server.says(/event loops are \d+% busy: one worker more/)
  const status = await server.statusWhen(({ workers }) => workers.filter(({ state }) => state === 'ready').length === 2)
  assert.equal(status.wantedWorkers, 2)
  assert.ok(status.workers.some(({ counters }) => counters.loopUtilisation > 0.7))
  // Connections that are new find the new one.
  await load.stop()
  const more = new SteadyLoad(context, server.port, 8)
  await more.more(50)
  await more.stop()
  assert.deepEqual([...load.broken, ...more.broken], [])
  const answer = await fetch(`${server.admin}/metrics`, CLOSE)
  assert.match(await answer.text(), /^millrace_event_loop_utilisation_ratio\{worker="1",pid="\d+"\} [01](\.\d+)?$/m)
})

test('maxWorkers below workers is refused', limit, async () => {
  const command = new RunningCommand(['serve', 'busy.ts', '--workers', '3', '--max-workers', '2'])
  assert.equal((await command.exited).code, 2)
  assert.match(command.errors, /^error: maxWorkers is 2, less than workers, which is 3: the number grows/)
})
