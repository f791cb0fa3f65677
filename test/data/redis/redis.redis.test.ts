// A Redis as handlers use it: commands within their bounds, whatever Redis does; scripts, channels, client-side caching; the start and the end.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { after, afterEach, before, describe, test } from 'node:test'
import * as z from 'zod'
import { App } from '../../../src/index.ts'
import {
  connectRedis,
  redis,
  RedisFullError,
  RedisReplyError,
  RedisSettingsError,
  RedisTimeoutError,
  RedisUnavailableError,
  script,
  type ConnectRedisOptions,
  type Redis,
} from '../../../src/data/redis/index.ts'
import { readMetrics } from '../../../src/core/metrics.ts'
import { testClient } from '../../../src/testing/index.ts'
import { FaultProxy } from '../support/fault-proxy.ts'
import { freePort, RedisServer, withoutRedis } from '../support/redis.ts'
import { RedisCluster, WatchedRedis } from '../support/redis-groups.ts'
import { eventually } from '../support/server.ts'

const quiet = { warn: () => {} }
const closing: (() => Promise<unknown>)[] = []

async function open(options: ConnectRedisOptions): Promise<Redis> {
  const opened = await connectRedis({ log: quiet, ...options })
  closing.push(() => opened.close())
  return opened
}

async function back(store: Redis): Promise<void> {
  await eventually(() => (store.isReachable ? true : undefined))
}

describe('a Redis', { skip: withoutRedis }, () => {
  let server: RedisServer
  before(async () => {
    server = await RedisServer.start()
  })
  after(() => server.stop())
  afterEach(async () => {
    await Promise.all(closing.splice(0).map(close => close()))
    await server.command('FLUSHALL')
  })

  test('runs the commands of the driver, typed, and batches of them', async () => {
    const { commands } = await open({ url: server.url })
    await commands.set('name', 'Ada', { expiration: { type: 'EX', value: 60 } })
    const name: string | null = await commands.get('name')
    assert.equal(name, 'Ada')
    await commands.hSet('hash', { a: '1', b: '2' })
    assert.deepEqual({ ...(await commands.hGetAll('hash')) }, { a: '1', b: '2' })
    assert.deepEqual(await commands.multi().incr('n').incr('n').get('n').exec(), [1, 2, '2'])
    assert.deepEqual(await commands.multi().incr('n').get('name').execAsPipeline(), [3, 'Ada'])
  })

  test('has the commands of the driver, and nothing else of its client', async () => {
    const { commands } = await open({ url: server.url })
    await commands.mSet(['a', '1', 'b', '2'])
    const keys: string[] = []
    for await (const page of commands.scanIterator()) keys.push(...page)
    assert.deepEqual(keys.sort(), ['a', 'b'])
    for (const name of [
      'close',
      'destroy',
      'subscribe',
      'sendCommand',
      'select',
      'on',
      'then',
      'isReady',
      'constructor',
    ])
      assert.equal((commands as unknown as Record<string, unknown>)[name], undefined, name)
  })

  test('runs what the driver does not know, as words', async () => {
    const store = await open({ url: server.url })
    assert.equal(String(await store.send(['SET', 'key', Buffer.from([0, 255])], { key: 'key' })), 'OK')
    assert.deepEqual(await store.send(['GET', 'key'], { key: 'key' }), Buffer.from([0, 255]))
    assert.equal(await store.send(['STRLEN', 'key']), 2)
  })

  test('sends what one turn of the loop asks for as one packet', async () => {
    let packets = 0
    const counting = createServer(client => {
      const to = connect(server.port, '127.0.0.1')
      client.on('data', () => packets++)
      client
        .on('error', () => {})
        .pipe(to.on('error', () => {}))
        .pipe(client)
    }).listen(0, '127.0.0.1')
    await once(counting, 'listening')
    const store = await open({ url: `redis://127.0.0.1:${(counting.address() as AddressInfo).port}` })
    packets = 0
    const sent = await Promise.all(Array.from({ length: 500 }, (_, n) => store.commands.set(`key${n}`, 'value')))
    assert.equal(sent.length, 500)
    // 500 commands are some 20 KB; the kernel may cut them where it likes.
    assert.ok(packets <= 5, `${packets} packets`)
    await store.close()
    counting.close()
  })

  test('says what Redis refuses by its word', async () => {
    const { commands } = await open({ url: server.url })
    await commands.set('text', 'secret')
    const refused = await commands.lPush('text', 'secret').catch((error: unknown) => error)
    assert.ok(refused instanceof RedisReplyError)
    assert.equal(refused.reply, 'WRONGTYPE')
    assert.equal(refused.status, undefined)
    assert.doesNotMatch(refused.message, /secret/)
    await assert.rejects(commands.set('key', undefined as unknown as string), TypeError)
  })

  test('a full server is a 503', async () => {
    const { commands } = await open({ url: server.url })
    await server.command('CONFIG', 'SET', 'maxmemory', '1')
    const full = await commands.set('key', 'value').catch((error: unknown) => error)
    await server.command('CONFIG', 'SET', 'maxmemory', '0')
    assert.ok(full instanceof RedisFullError)
    assert.equal(full.status, 503)
    assert.ok(full.retryAfterMs! > 0)
  })

  test('a signal ends the wait at once, with its reason', async () => {
    const store = await open({ url: server.url })
    const leaving = new AbortController()
    const waiting = store.with({ signal: leaving.signal, timeout: '10s' }).blPop('nothing comes', 0)
    const startedMs = performance.now()
    setTimeout(() => leaving.abort(new Error('the client left')), 10)
    await assert.rejects(waiting, /the client left/)
    await assert.rejects(store.with({ signal: leaving.signal }).get('key'), /the client left/)
    assert.ok(performance.now() - startedMs < 5_000)
    await server.command('LPUSH', 'nothing comes', 'go on')
  })

  describe('whose server has a fault', () => {
    let proxy: FaultProxy
    before(async () => {
      proxy = await FaultProxy.start({ host: '127.0.0.1', port: server.port })
    })
    afterEach(() => proxy.heal())
    after(() => proxy.close())
    const url = (): string => `redis://127.0.0.1:${proxy.port}`

    test('that holds: one command waits for its time-out, the next fail at once, and all is well when it heals', async () => {
      const store = await open({ url: url(), commandTimeout: '1s' })
      await store.commands.set('key', 'value')
      proxy.hold()
      const late = await store.commands.get('key').catch((error: unknown) => error)
      assert.ok(late instanceof RedisTimeoutError)
      assert.equal(late.code, 'REDIS_TIMEOUT')
      assert.equal(late.status, 503)
      const startedMs = performance.now()
      for (let n = 0; n < 100; n++) {
        const away = await store.commands.get('key').catch((error: unknown) => error)
        assert.ok(away instanceof RedisUnavailableError)
        assert.equal(away.code, 'REDIS_UNAVAILABLE')
        assert.ok(away.retryAfterMs! > 0)
      }
      assert.ok(performance.now() - startedMs < 5_000)
      assert.deepEqual(store.stats, { timeouts: 1, refused: 100, losses: 1 })
      proxy.heal()
      await back(store)
      assert.equal(await store.commands.get('key'), 'value')
    })

    test('that stays dumb: the connection is thrown away and made anew', async () => {
      const store = await open({ url: url(), commandTimeout: 100 })
      proxy.hold()
      await assert.rejects(store.commands.get('key'), RedisTimeoutError)
      const before = proxy.accepted
      await eventually(() => (proxy.accepted > before ? true : undefined))
      proxy.heal()
      await back(store)
      assert.equal(await store.commands.get('key'), null)
    })

    for (const how of ['cut', 'reset'] as const)
      test(`that ${how}s connections: commands on their way fail, and it connects again by itself`, async () => {
        const warned: string[] = []
        const log = { warn: (text: string) => void warned.push(text), info: (text: string) => void warned.push(text) }
        const store = await open({ url: url(), log })
        proxy.slow({ latencyMs: 200 })
        const onItsWay = store.commands.get('key').catch((error: unknown) => error)
        await new Promise(resolve => setTimeout(resolve, 50))
        proxy[how]()
        assert.ok((await onItsWay) instanceof RedisUnavailableError)
        await assert.rejects(store.commands.get('key'), RedisUnavailableError)
        proxy.heal()
        await back(store)
        assert.equal(await store.commands.get('key'), null)
        // Said once for each way there and back, however many attempts it took.
        assert.equal(warned.length, 2)
        assert.match(warned[0]!, /^Redis at 127\.0\.0\.1:\d+ is away \(.+\); trying again$/)
        assert.match(warned[1]!, /is back$/)
      })

    test('channels are heard again after an outage', async () => {
      const store = await open({ url: url() })
      const heard: string[] = []
      const end = await store.subscribe('news', (message, channel) => void heard.push(`${channel}: ${message}`))
      await server.command('PUBLISH', 'news', 'one')
      await eventually(() => (heard.length === 1 ? true : undefined))
      proxy.reset()
      proxy.heal()
      await eventually(async () => ((await server.command('PUBLISH', 'news', 'two')) === ':1' ? true : undefined))
      await eventually(() => (heard.includes('news: two') ? true : undefined))
      await end()
      assert.equal(await server.command('PUBLISH', 'news', 'three'), ':0')
      assert.deepEqual(heard, ['news: one', 'news: two'])
    })
  })

  test('a listener that throws is told of in the log, and keeps nothing from the others', async () => {
    const warned: string[] = []
    const store = await open({ url: server.url, log: { warn: text => void warned.push(text) } })
    const heard: string[] = []
    await store.subscribe('news', () => {
      throw new Error('broken at once')
    })
    await store.subscribe('news', async () => {
      await Promise.resolve()
      throw new Error('broken later')
    })
    await store.subscribe('news', message => void heard.push(message))
    for (const message of ['one', 'two']) await server.command('PUBLISH', 'news', message)
    await eventually(() => (heard.length === 2 && warned.length === 4 ? true : undefined))
    assert.equal(warned.filter(text => /the channel news threw: Error: broken at once/.test(text)).length, 2)
    assert.equal(warned.filter(text => /broken later/.test(text)).length, 2)
  })

  test('a batch says what is wrong with the first of its commands that failed', async () => {
    const { commands } = await open({ url: server.url })
    const batch = commands.multi().set('text', 'x').lPush('text', 'y').exec()
    await assert.rejects(batch, (error: unknown) => error instanceof RedisReplyError && error.reply === 'WRONGTYPE')
  })

  describe('scripts', () => {
    const release = script({
      keys: ['lock'],
      args: ['token'],
      lua: `if redis.call('get', lock) == token then return redis.call('del', lock) end return 0`,
      read: reply => reply === 1,
    })

    test('take keys and arguments by name, and go over the wire once', async () => {
      const store = await open({ url: server.url })
      await server.command('SCRIPT', 'FLUSH')
      const evals = await server.ran('eval')
      await store.commands.set('lock:7', 'mine')
      const run = (token: string): Promise<boolean> => store.run(release, { keys: { lock: 'lock:7' }, args: { token } })
      assert.equal(await run('theirs'), false)
      assert.equal(await run('mine'), true)
      assert.equal(await run('mine'), false)
      assert.equal((await server.ran('eval')) - evals, 1)
      await server.command('SCRIPT', 'FLUSH')
      assert.equal(await run('mine'), false)
      assert.equal((await server.ran('eval')) - evals, 2)
    })

    test('with names that Lua cannot have are refused where they are declared', () => {
      for (const keys of [['a-b'], ['end'], ['a', 'a'], ['1st'], ['KEYS']])
        assert.throws(() => script({ keys, lua: 'return 1' }), { code: 'REDIS_SCRIPT' })
    })

    test('called without one of their arguments are not sent', async () => {
      const store = await open({ url: server.url })
      const of = { keys: { lock: 'lock:7' }, args: {} } as unknown as {
        keys: { lock: string }
        args: { token: string }
      }
      await assert.rejects(store.run(release, of), { code: 'REDIS_SCRIPT', message: /token/ })
    })

    test('that fail say so', async () => {
      const store = await open({ url: server.url })
      const broken = script({ lua: `return redis.call('lpush', 'x')` })
      await assert.rejects(store.run(broken, { keys: {}, args: {} }), RedisReplyError)
    })
  })

  test('client-side caching: a key that was read is not asked for again until it changes', async () => {
    const store = await open({ url: server.url, clientSideCache: true })
    await server.command('SET', 'key', 'one')
    const before = await server.ran('get')
    for (let n = 0; n < 10; n++) assert.equal(await store.commands.get('key'), 'one')
    assert.equal((await server.ran('get')) - before, 1)
    await server.command('SET', 'key', 'two')
    await eventually(async () => ((await store.commands.get('key')) === 'two' ? true : undefined))
  })

  test('client-side caching: nothing is answered from memory once Redis has gone silent, which might say that it changed', async () => {
    const proxy = await FaultProxy.start({ host: '127.0.0.1', port: server.port })
    closing.push(() => proxy.close())
    const store = await open({ url: `redis://127.0.0.1:${proxy.port}`, clientSideCache: true })
    await server.command('SET', 'key', 'one')
    assert.equal(await store.commands.get('key'), 'one')
    proxy.hold()
    await server.command('SET', 'key', 'two')
    await eventually(async () => {
      const told = await store.commands.get('key').catch((error: unknown) => error)
      return told instanceof RedisUnavailableError ? true : undefined
    })
    proxy.heal()
    await eventually(async () => ((await store.commands.get('key').catch(() => '')) === 'two' ? true : undefined))
  })

  describe('at the start', () => {
    test('waits for a server that is not there yet', async () => {
      const port = await freePort()
      const warned: string[] = []
      const opening = open({ url: `redis://:secret@127.0.0.1:${port}`, log: { warn: text => void warned.push(text) } })
      await eventually(() => (warned.length > 0 ? true : undefined))
      assert.doesNotMatch(warned.join(), /secret/)
      const late = await RedisServer.start(['--requirepass', 'secret'], port, 'secret')
      closing.push(() => late.stop())
      assert.equal(await (await opening).commands.ping(), 'PONG')
    })

    test('gives up after startTimeout, and when it is aborted', async () => {
      const url = `redis://127.0.0.1:${await freePort()}`
      await assert.rejects(open({ url, startTimeout: 100 }), RedisUnavailableError)
      await assert.rejects(open({ url, signal: AbortSignal.timeout(100) }), { name: 'TimeoutError' })
    })

    test('goes on without it, degraded', async () => {
      const port = await freePort()
      const store = await open({ url: `redis://127.0.0.1:${port}`, start: 'degraded' })
      await assert.rejects(store.commands.get('key'), RedisUnavailableError)
      const late = await RedisServer.start([], port)
      closing.push(() => late.stop())
      await back(store)
      assert.equal(await store.commands.get('key'), null)
    })

    test('ends it for a wrong password, and for an address that is none', async () => {
      const guarded = await RedisServer.start(['--requirepass', 'right'], undefined, 'right')
      closing.push(() => guarded.stop())
      const wrong = await open({ url: guarded.url.replace('//', '//:wrong@') }).catch((error: unknown) => error)
      assert.ok(wrong instanceof RedisSettingsError)
      assert.equal(wrong.code, 'REDIS_REFUSED')
      assert.doesNotMatch(wrong.message, /wrong@/)
      for (const url of ['http://localhost', 'localhost:6379', 'redis//x'])
        await assert.rejects(open({ url }), { code: 'REDIS_BAD_URL' })
      await assert.rejects(open({ cluster: [] }), { code: 'REDIS_NO_URL' })
    })

    test('reaches a server on a unix socket', async () => {
      const store = await open({ url: `unix://${server.socketPath}` })
      assert.equal(await store.commands.ping(), 'PONG')
    })
  })

  test('as a dependency: opened for the worker, bounded by the request, closed when it drains; away is a 503 with Retry-After', async () => {
    const own = await RedisServer.start()
    closing.push(() => own.stop())
    const app = new App({ title: 'Visits', version: '1' })
    const store = redis({ url: own.url })
    app.get('/visits', { uses: { store }, returns: z.object({ visits: z.int() }) }, async ({ store, signal }) => ({
      visits: await store.with({ signal }).incr('visits'),
    }))
    const client = testClient(app)
    try {
      for (const visits of [1, 2]) assert.deepEqual(await (await client.fetch('/visits')).json(), { visits })
      const told = (name: string) => readMetrics().find(metric => metric.name === name)?.samples
      assert.deepEqual(told('millrace_redis_reachable'), [{ value: 1 }])
      await own.kill()
      const away = await client.fetch('/visits')
      assert.equal(away.status, 503)
      assert.equal(away.headers.get('retry-after'), '1')
      assert.doesNotMatch(await away.text(), /redis|127\.0\.0\.1/i)
      assert.deepEqual(told('millrace_redis_reachable'), [{ value: 0 }])
      assert.deepEqual(told('millrace_redis_losses_total'), [{ value: 1 }])
      await own.start()
      await eventually(async () => ((await client.fetch('/visits')).status === 200 ? true : undefined))
    } finally {
      await client.close()
    }
    await eventually(async () => ((await own.command('CLIENT', 'LIST')).includes('name=millrace') ? undefined : true))
  })
})

describe('a cluster of Redis', { skip: withoutRedis }, () => {
  let cluster: RedisCluster
  before(async () => {
    cluster = await RedisCluster.start(3)
  })
  after(async () => {
    await Promise.all(closing.splice(0).map(close => close()))
    await cluster.stop()
  })

  test('is asked node by node; one that is gone fails its own keys only', async () => {
    const store = await open({ cluster: cluster.urls })
    const keys = Array.from({ length: 30 }, (_, n) => `key${n}`)
    await Promise.all(keys.map(key => store.commands.set(key, key)))
    assert.deepEqual(await Promise.all(keys.map(key => store.commands.get(key))), keys)
    for (const node of cluster.nodes) assert.ok(Number((await node.command('DBSIZE')).slice(1)) > 0)
    const add = script({
      keys: ['one', 'two'],
      lua: `return redis.call('get', one) .. redis.call('get', two)`,
      read: String,
    })
    await Promise.all([store.commands.set('{a}1', 'x'), store.commands.set('{a}2', 'y')])
    assert.equal(await store.run(add, { keys: { one: '{a}1', two: '{a}2' }, args: {} }), 'xy')
    const heard: string[] = []
    await store.subscribe('news', message => void heard.push(message))
    await cluster.nodes[2]!.command('PUBLISH', 'news', 'over the bus')
    await eventually(() => (heard.length > 0 ? true : undefined))
    // Of three nodes one dies.
    await cluster.nodes[1]!.kill()
    const startedMs = performance.now()
    const asked = await Promise.allSettled(keys.map(key => store.commands.get(key)))
    assert.ok(performance.now() - startedMs < 10_000)
    const failed = asked.flatMap(one => (one.status === 'rejected' ? [one.reason as unknown] : []))
    assert.ok(failed.length > 0 && failed.length < keys.length, `${failed.length} of ${keys.length} failed`)
    for (const error of failed) assert.ok(error instanceof RedisUnavailableError, String(error))
    await cluster.nodes[1]!.start()
    await eventually(async () => {
      const again = await Promise.allSettled(keys.map(key => store.commands.get(key)))
      return again.every(({ status }) => status === 'fulfilled') ? true : undefined
    })
  })
})

describe('a Redis that sentinels watch over', { skip: withoutRedis }, () => {
  let watched: WatchedRedis
  before(async () => {
    watched = await WatchedRedis.start()
  })
  after(async () => {
    await Promise.all(closing.splice(0).map(close => close()))
    await watched.stop()
  })

  test('is followed to its next primary', async () => {
    const store = await open({ sentinel: { name: 'shop', nodes: [watched.url] } })
    await store.commands.set('key', 'before')
    await eventually(async () => ((await watched.replica.command('GET', 'key')) === 'before' ? true : undefined))
    await watched.primary.kill()
    await eventually(async () => {
      const kept = await store.commands.set('key', 'after').catch(() => undefined)
      return kept === 'OK' ? true : undefined
    }, 30_000)
    assert.equal(await watched.replica.command('GET', 'key'), 'after')
  })
})
