import assert from 'node:assert/strict'
import { describe, mock, test } from 'node:test'
import type { Answers } from '../../src/core/host.ts'
import type { FromWorker } from '../../src/server/messages.ts'
import { type Member, Relay } from '../../src/server/relay.ts'
import { WorkerHost } from '../../src/server/worker-host.ts'

/** Workers whose channel to the relay is a function call that arrives in a later microtask. */
class FakeWorker implements Member {
  readonly number: number
  isOpen = true
  isHung = false
  readonly host: WorkerHost

  constructor(number: number, hear: (from: FakeWorker, message: FromWorker) => void) {
    this.number = number
    this.host = new WorkerHost(number, 3, [], message => queueMicrotask(() => hear(this, message)))
  }

  send(message: Parameters<Member['send']>[0]): void {
    if (!this.isHung) queueMicrotask(() => this.host.receive(message))
  }
}

function cluster(count: number): { workers: FakeWorker[]; members: Set<FakeWorker>; relay: Relay<FakeWorker> } {
  const members = new Set<FakeWorker>()
  const relay = new Relay<FakeWorker>(members)
  const hear = (from: FakeWorker, message: FromWorker): void => {
    if (message.type === 'publish') relay.publish(from, message)
    if (message.type === 'request') relay.request(from, message)
    if (message.type === 'answer') relay.answer(from, message)
  }
  const workers = Array.from({ length: count }, (_, n) => new FakeWorker(n + 1, hear))
  for (const worker of workers) members.add(worker)
  return { workers, members, relay }
}

describe('messages between workers', () => {
  test('what one publishes reaches every worker once, its own subscribers included', async () => {
    const { workers } = cluster(3)
    const heard: string[] = []
    for (const { host } of workers) host.subscribe('news', message => heard.push(`${host.worker}:${message as string}`))
    workers[0]!.host.publish('news', 'a')
    await new Promise(setImmediate)
    assert.deepEqual(heard.sort(), ['1:a', '2:a', '3:a'])
  })

  test('a request resolves when every worker has answered', async () => {
    const { workers } = cluster(3)
    for (const { host } of workers)
      host.respond('drop', async message => {
        await new Promise(setImmediate)
        return `${host.worker} dropped ${message as string}`
      })
    const { answers, silent } = await workers[1]!.host.request('drop', 'x', 5000)
    assert.deepEqual([...answers].sort(), ['1 dropped x', '2 dropped x', '3 dropped x'])
    assert.deepEqual(silent, [])
  })

  test('a worker that hangs or whose responder fails is listed as silent, and the others still answer', async () => {
    const { workers } = cluster(3)
    for (const { host } of workers) host.respond('drop', () => host.worker)
    workers[1]!.isHung = true
    workers[2]!.host.respond('drop', () => {
      throw new Error('no')
    })
    mock.timers.enable({ apis: ['setTimeout'] })
    try {
      const asked = workers[0]!.host.request('drop', 'x', 1000)
      await new Promise(setImmediate)
      mock.timers.tick(1000)
      const { answers, silent } = await asked
      assert.deepEqual(answers, [1])
      assert.deepEqual([...silent].sort(), [2, 3])
    } finally {
      mock.timers.reset()
    }
  })

  test('a worker that dies while it is asked is no longer waited for', async () => {
    const { workers, members, relay } = cluster(2)
    for (const { host } of workers) host.respond('drop', () => host.worker)
    workers[1]!.isHung = true
    const asked = workers[0]!.host.request('drop', 'x', 60_000)
    await new Promise(setImmediate)
    members.delete(workers[1]!)
    relay.gone(workers[1]!)
    assert.deepEqual(await asked, { answers: [1], silent: [] })
  })

  test('a worker that still starts is told but not waited for, and settles before it opens', async () => {
    const { workers } = cluster(2)
    workers[1]!.isOpen = false
    const dropped = Promise.withResolvers<void>()
    workers[1]!.host.respond('drop', () => dropped.promise)
    assert.deepEqual(await workers[0]!.host.request('drop', 'x', 60_000), { answers: [], silent: [] })
    let isSettled = false
    const settled = workers[1]!.host.settled().then(() => (isSettled = true))
    await new Promise(setImmediate)
    assert.equal(isSettled, false)
    dropped.resolve()
    await settled
  })

  test('requests at the same time keep their own answers', async () => {
    const { workers } = cluster(3)
    for (const { host } of workers) host.respond('echo', message => `${host.worker}${message as string}`)
    const asked = ['a', 'b', 'c'].map(text => workers[0]!.host.request('echo', text, 5000))
    const all: Answers[] = await Promise.all(asked)
    assert.deepEqual(
      all.map(({ answers }) => [...answers].sort()),
      [
        ['1a', '2a', '3a'],
        ['1b', '2b', '3b'],
        ['1c', '2c', '3c'],
      ],
    )
  })
})
