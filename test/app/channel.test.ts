import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { channel } from 'millrace'
import { host, LocalHost, provideHost } from '../../src/core/host.ts'

const before = host()
afterEach(() => void provideHost(before))

async function read<T>(messages: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const message of messages) found.push(message)
  return found
}

/** How many listeners a channel has; asked of the host, where a leak would be. */
function counting(): { readonly count: number } {
  const local = new LocalHost()
  let count = 0
  const subscribe = local.subscribe.bind(local)
  local.subscribe = (name, listener) => {
    const end = subscribe(name, listener)
    count++
    return () => {
      count--
      end()
    }
  }
  provideHost(local)
  return {
    get count() {
      return count
    },
  }
}

describe('a channel', () => {
  test('gives every subscriber every message from its first read on, in order', async () => {
    const news = channel<number>('news')
    news.publish(0)
    const [one, two] = [news.subscribe(), news.subscribe()]
    const first = [one.next(), two.next()]
    for (const n of [1, 2, 3]) channel<number>('news').publish(n)
    channel<number>('other').publish(9)
    assert.deepEqual(
      (await Promise.all(first)).map(({ value }) => value),
      [1, 1],
    )
    assert.deepEqual([(await one.next()).value, (await one.next()).value], [2, 3])
    await one.return!()
    await two.return!()
  })

  test('gives `first` before any message, and misses none that comes while it is read', async () => {
    const news = channel<string>('news')
    const messages = news.subscribe({
      first: async () => {
        news.publish('changed')
        return 'state'
      },
    })
    assert.equal((await messages.next()).value, 'state')
    assert.equal((await messages.next()).value, 'changed')
    await messages.return!()
  })

  test('ends the loop when the signal aborts, and lets go of the channel', async () => {
    const listeners = counting()
    const ending = new AbortController()
    const found = read(channel<number>('news').subscribe({ signal: ending.signal }))
    assert.equal(listeners.count, 1)
    channel<number>('news').publish(1)
    await new Promise(resolve => setImmediate(resolve))
    ending.abort()
    assert.deepEqual(await found, [1])
    assert.equal(listeners.count, 0)
    assert.deepEqual(await read(channel('news').subscribe({ signal: ending.signal })), [])
  })

  test('is let go of by leaving the loop, and by a `first` that throws', async () => {
    const listeners = counting()
    for await (const message of channel<number>('news').subscribe({ first: () => 1 })) if (message === 1) break
    assert.equal(listeners.count, 0)
    const failing = channel('news').subscribe({
      first() {
        throw new Error('no state')
      },
    })
    await assert.rejects(failing.next(), /no state/)
    assert.equal(listeners.count, 0)
  })

  test('throws for a subscriber that does not keep up, once it has had what was kept', async () => {
    const listeners = counting()
    const messages = channel<number>('news').subscribe({ maxWaiting: 2, first: () => 0 })
    await messages.next()
    for (const n of [1, 2, 3]) channel<number>('news').publish(n)
    assert.equal(listeners.count, 0)
    assert.deepEqual([(await messages.next()).value, (await messages.next()).value], [1, 2])
    await assert.rejects(messages.next(), { code: 'APP_CHANNEL_LAGGED' })
  })
})
