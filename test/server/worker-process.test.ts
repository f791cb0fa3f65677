import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { settingsFromCode } from '../../src/server/settings-sources.ts'
import { WorkerProcess } from '../../src/server/worker-process.ts'

/** What fork() gives when there cannot be one more process: no pid, no channel, 'error' in the next turn and never 'exit'. */
function unstarted(): ChildProcess {
  const child = Object.assign(new EventEmitter(), { connected: false, kill: () => false })
  process.nextTick(() => child.emit('error', new Error('spawn node EAGAIN')))
  return child as unknown as ChildProcess
}

test('a worker that cannot be started has ended, and says why', { timeout: 240_000 }, async () => {
  const settings = settingsFromCode({}, {})
  const plan = {
    app: 'app.ts',
    worker: 2,
    workers: 2,
    settings,
    services: [],
    ticketKeys: '',
    isDevelopment: false,
    reportDir: '',
  }
  const worker = new WorkerProcess({
    plan,
    environment: {},
    socketFd: 0,
    era: 0,
    child: unstarted(),
    onMessage: () => {},
  })
  await assert.rejects(worker.ready, {
    code: 'WORKER_ENDED',
    message: 'worker 2 could not be started: spawn node EAGAIN',
  })
  assert.equal((await worker.exited).error?.message, 'spawn node EAGAIN')
  assert.deepEqual([worker.state, worker.isAlive], ['gone', false])
  // Nobody waits for one that never was.
  await worker.drain('orderly', 60_000, 60_000)
})
