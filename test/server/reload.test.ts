import assert from 'node:assert/strict'
import { test } from 'node:test'
import { roll, type Slot } from '../../src/server/reload.ts'
import { RestartPolicy } from '../../src/server/restart-policy.ts'
import type { WorkerProcess } from '../../src/server/worker-process.ts'

/** Of a worker, all that a roll looks at. It notes when it is killed. */
function worker(ready: Promise<void>) {
  const found = { ready, kills: 0, kill: () => void found.kills++ }
  return found as typeof found & WorkerProcess
}

function slot(number: number, current: WorkerProcess): Slot {
  return { number, restarts: new RestartPolicy(), current, timer: undefined }
}

test('a roll that ends while a new worker is not ready lets it drain: it may be accepting before it is known to be', async () => {
  const [old, next] = [worker(Promise.resolve()), worker(new Promise(() => {}))]
  const [abort, drained] = [new AbortController(), [] as unknown[]]
  const place = slot(1, old)
  const rolled = roll({
    slots: [place],
    launch: () => next,
    drain: each => Promise.resolve(drained.push(each)),
    isWanted: () => true,
    signal: abort.signal,
  })
  abort.abort()
  assert.equal(await rolled, 0)
  assert.deepEqual(drained, [next])
  assert.equal(next.kills, 0)
  assert.equal(place.current, old)
})

test('a roll replaces one after the other, each new one ready before the old one drains', async () => {
  const steps: string[] = []
  const slots = [1, 2].map(number => slot(number, worker(Promise.resolve())))
  const olds = slots.map(({ current }) => current)
  const replaced = await roll({
    slots,
    launch: ({ number }) => {
      steps.push(`launch ${number}`)
      return worker(new Promise(resolve => setImmediate(() => resolve(void steps.push(`ready ${number}`)))))
    },
    drain: each => Promise.resolve(steps.push(`drain ${1 + olds.indexOf(each)}`)),
    isWanted: () => true,
    signal: new AbortController().signal,
  })
  assert.equal(replaced, 2)
  assert.deepEqual(steps, ['launch 1', 'ready 1', 'drain 1', 'launch 2', 'ready 2', 'drain 2'])
})
