// Invalidation over the supervisor's own relay: the messages are real, only the processes are one.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { Cache } from '../../src/cache/cache.ts'
import { InvalidationBus } from '../../src/cache/invalidation.ts'
import type { FromWorker, ToWorker } from '../../src/server/messages.ts'
import { Relay, type Member } from '../../src/server/relay.ts'
import { WorkerHost } from '../../src/server/worker-host.ts'

function supervised(workers: number) {
  const members: Member[] = []
  const relay = new Relay(members)
  const later = (deliver: () => void) => setImmediate(deliver) // a pipe takes a turn of the loop
  return Array.from({ length: workers }, (_, i) => {
    const number = i + 1
    const host: WorkerHost = new WorkerHost(number, workers, [], sent => {
      const message = JSON.parse(JSON.stringify(sent)) as FromWorker
      later(() => {
        if (message.type === 'request') relay.request(member, message)
        else if (message.type === 'answer') relay.answer(member, message)
        else assert.fail(`a cache has no use for ${message.type}`)
      })
    })
    const member: Member = {
      number,
      isOpen: true,
      send: (message: ToWorker) => later(() => host.receive(message)),
    }
    members.push(member)
    const bus = new InvalidationBus(() => host)
    return { cache: new Cache({}, bus), bus }
  })
}

test('an invalidation in one worker is acted on by all of them when it resolves', async t => {
  const workers = supervised(3)
  t.after(() => workers.forEach(({ bus }) => bus.stop()))
  const fill = () => Promise.all(workers.map(({ cache }) => cache.get('k', () => 1, { ttl: '1m', tags: ['t'] })))
  const peek = () => workers.map(({ cache }) => cache.peek('k'))
  await fill()
  await workers[1]!.cache.invalidate('t')
  assert.deepEqual(peek(), [undefined, undefined, undefined])
  await fill()
  await workers[0]!.cache.delete('k')
  assert.deepEqual(peek(), [undefined, undefined, undefined])
})

test('a worker that has cached nothing yet does not hold an invalidation up', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] }) // the bound of 1 s never comes: only an answer can end the wait
  const workers = supervised(2)
  t.after(() => workers.forEach(({ bus }) => bus.stop()))
  const [one] = workers
  await one!.cache.get('k', () => 1, { ttl: '1m', tags: ['t'] })
  await one!.cache.invalidate('t')
  assert.equal(one!.cache.peek('k'), undefined)
})
