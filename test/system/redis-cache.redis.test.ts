// One cache for all workers of two hosts, in real processes, with Redis between them: what many ask for at once is loaded once, what was
// invalidated never comes back, and a Redis that dies under load costs no request.
//
// CONNECTIONS=10000 and ROUNDS=10000 ask for more at once, and invalidate more often; ADDED_MS=100 is what a machine with nothing else to do shows.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test, type TestContext } from 'node:test'
import { FaultProxy } from '../data/support/fault-proxy.ts'
import { RedisServer, withoutRedis } from '../data/support/redis.ts'
import { eventually } from '../data/support/server.ts'
import { type RunningServer, startServer } from './running-server.ts'

const CONNECTIONS = Number(process.env['CONNECTIONS'] ?? 2_000)
const ROUNDS = Number(process.env['ROUNDS'] ?? 200)
/** What a Redis that dies may add to the 99th percentile. Every process here shares the processors with all other tests. */
const ADDED_MS = Number(process.env['ADDED_MS'] ?? 400)

/** What the apps load from. It knows how often, and does what the test wants. */
class Source {
  readonly #server = http.createServer((request, response) => void this.#answer(request.url!.slice(1), response))
  readonly loads = new Map<string, number>()
  readonly versions = new Map<string, number>()
  isBroken = false
  /** Loads of keys that begin with `gated` wait for it. */
  gate: Promise<void> = Promise.resolve()
  longestMs = 0

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return this
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  loadsOf(key: string): number {
    return this.loads.get(key) ?? 0
  }

  stop(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  async #answer(key: string, response: http.ServerResponse): Promise<void> {
    this.loads.set(key, this.loadsOf(key) + 1)
    const version = this.versions.get(key) ?? 0
    if (key.startsWith('gated')) await this.gate
    if (this.longestMs > 0) await new Promise(resolve => setTimeout(resolve, Math.random() * this.longestMs))
    response.statusCode = this.isBroken ? 500 : 200
    response.end(JSON.stringify({ version }))
  }
}

interface Told {
  readonly status: number
  readonly body: string
}

/** On a connection of its own, so that any worker may have it, unless an agent keeps one. */
async function ask(server: RunningServer, path: string, method = 'GET', agent?: http.Agent): Promise<Told> {
  const request = http.request(`${server.url}${path}`, { method, agent: agent ?? false }).end()
  const [answer] = (await once(request, 'response')) as [http.IncomingMessage]
  let body = ''
  for await (const piece of answer.setEncoding('utf8')) body += piece
  return { status: answer.statusCode!, body }
}

const kinds = (answers: readonly Told[]): ReadonlySet<string> =>
  new Set(answers.map(({ status, body }) => `${status} ${body}`))

describe('a cache in Redis', { skip: withoutRedis }, () => {
  let source: Source
  let redis: RedisServer
  before(async () => {
    source = await new Source().start()
    redis = await RedisServer.start()
  })
  after(async () => {
    source.stop()
    await redis.stop()
  })

  /**
   * Two hosts of two workers each: their supervisors know nothing of each other.
   *
   * @param commandTimeoutMs  long where nothing is wrong with Redis, and a busy machine must not look like it
   */
  async function hosts(
    context: TestContext,
    commandTimeoutMs = 5_000,
  ): Promise<readonly [RunningServer, RunningServer]> {
    const environment = {
      REDIS_URL: redis.url,
      SOURCE_URL: source.url,
      COMMAND_TIMEOUT_MS: String(commandTimeoutMs),
    }
    const args = ['serve', 'redis-cache.ts', '--port', '0', '--workers', '2', '--request-timeout', '5m']
    return Promise.all([startServer(context, args, { environment }), startServer(context, args, { environment })])
  }

  test(
    'what many ask for at once is loaded once among all workers of all hosts; failures once in a back-off',
    { timeout: 300_000 },
    async context => {
      const [one, other] = await hosts(context)
      const askAtOnce = async (path: string, count: number): Promise<Told[]> => {
        let open = (): void => {}
        source.gate = new Promise(resolve => (open = resolve))
        const answers = Promise.all(Array.from({ length: count }, (_, n) => ask(n % 2 ? one : other, path)))
        const inflight = (server: RunningServer) => server.statusWhen(({ total }) => total.inflight >= count / 2)
        await Promise.race([answers, Promise.all([inflight(one), inflight(other)])])
        open()
        return answers
      }

      assert.deepEqual(kinds(await askAtOnce('/pages/gated', CONNECTIONS)), new Set(['200 {"version":0}']))
      assert.equal(source.loadsOf('gated'), 1)

      // With an older value that is served, and the source is asked once in a second, however many workers there are.
      await ask(one, '/stale/old')
      source.isBroken = true
      const failed = await askAtOnce('/pages/gated-failing', 500)
      assert.ok(failed.every(({ status }) => status >= 500))
      assert.equal(source.loadsOf('gated-failing'), 1)
      const before = source.loadsOf('old')
      const began = performance.now()
      for (let n = 0; performance.now() - began < 3_000; n++)
        assert.deepEqual(await ask(n % 2 ? one : other, '/stale/old'), { status: 200, body: '{"version":0}' })
      const seconds = (performance.now() - began) / 1_000
      const tries = source.loadsOf('old') - before
      assert.ok(tries >= 1 && tries <= seconds + 2, `${tries} tries in ${seconds} s`)
      source.isBroken = false
      await eventually(async () => ((await ask(other, '/pages/gated-failing')).status === 200 ? true : undefined))
    },
  )

  test(
    'an invalidation during loads is never undone, in any worker of any host',
    { timeout: 1_800_000 },
    async context => {
      const both = await hosts(context)
      source.longestMs = 4
      let floor = 0
      let isOver = false
      let asked = 0
      const failures: string[] = []
      const pids = new Set<number>()
      const readers = Array.from({ length: 12 }, async (_, n) => {
        while (!isOver) {
          const atLeast = floor
          const told = await ask(both[n % 2]!, '/values/k')
          assert.equal(told.status, 200, told.body)
          const { pid, version } = JSON.parse(told.body) as { pid: number; version: number }
          asked++
          pids.add(pid)
          if (version < atLeast && failures.length < 5) failures.push(`${pid} said ${version} after ${atLeast}`)
        }
      })
      for (let round = 1; round <= ROUNDS; round++) {
        source.versions.set('k', round)
        const how = round % 3 === 0 ? 'key' : 'tag'
        // One of them, or both at once.
        const telling = round % 4 === 0 ? both : [both[round % 2]!]
        await Promise.all(telling.map(server => ask(server, `/values/k/changed/${how}`, 'POST')))
        floor = round
        if (round % 3 === 0) await new Promise(resolve => setTimeout(resolve, Math.random() * 10))
      }
      isOver = true
      await Promise.all(readers)
      source.longestMs = 0
      assert.deepEqual(failures, [])
      assert.equal(pids.size, 4, 'not every worker answered')
      assert.ok(source.loadsOf('k') < asked, `${source.loadsOf('k')} loads for ${asked} answers: nothing was cached`)
      context.diagnostic(`${ROUNDS} invalidations, ${asked} answers, ${source.loadsOf('k')} loads`)
    },
  )

  test(
    'an invalidation is never undone on its host, whatever happens to Redis meanwhile',
    { timeout: 1_800_000 },
    async context => {
      const proxy = await FaultProxy.start({ host: '127.0.0.1', port: redis.port })
      const environment = {
        REDIS_URL: `redis://127.0.0.1:${proxy.port}`,
        SOURCE_URL: source.url,
        COMMAND_TIMEOUT_MS: '100',
      }
      const args = ['serve', 'redis-cache.ts', '--port', '0', '--workers', '3', '--request-timeout', '5m']
      const server = await startServer(context, args, { environment })
      source.longestMs = 4
      let floor = 0
      let isOver = false
      let asked = 0
      const failures: string[] = []
      const readers = Array.from({ length: 9 }, async () => {
        while (!isOver) {
          const atLeast = floor
          const told = await ask(server, '/values/faulty')
          asked++
          const { pid, version } = JSON.parse(told.body) as { pid: number; version: number }
          if ((told.status !== 200 || version < atLeast) && failures.length < 5)
            failures.push(`${told.status}: ${pid} said ${version} after ${atLeast}`)
        }
      })
      const faults = (async () => {
        const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, Math.random() * ms))
        for (let turn = 0; !isOver; turn++) {
          await pause(400)
          if (turn % 4 === 0) proxy.resetOpen()
          else if (turn % 4 === 1) proxy.hold()
          else if (turn % 4 === 2) proxy.cut()
          else proxy.slow({ latencyMs: 60 })
          await pause(turn % 8 === 1 ? 2_000 : 300)
          proxy.heal()
        }
      })()
      const writer = async (): Promise<void> => {
        for (let round = 1; round <= ROUNDS; round++) {
          source.versions.set('faulty', round)
          const told = await ask(server, `/values/faulty/changed/${round % 3 === 0 ? 'key' : 'tag'}`, 'POST')
          if (told.status >= 300) failures.push(`${told.status} ${told.body}`)
          floor = round
          if (round % 2 === 0) await new Promise(resolve => setTimeout(resolve, Math.random() * 30))
        }
      }
      await writer()
      isOver = true
      await Promise.all([...readers, faults])
      await proxy.close()
      source.longestMs = 0
      assert.deepEqual(failures, [])
      context.diagnostic(`${ROUNDS} invalidations, ${asked} answers, ${source.loadsOf('faulty')} loads`)
    },
  )

  for (const [how, fail, mend] of [
    ['killed', () => redis.kill(), () => redis.start()],
    ['stopped without a word', async () => redis.pause(), async () => redis.resume()],
  ] as const)
    test(
      `a Redis that is ${how} under load fails no request, delays few, and is used again without a restart`,
      { timeout: 240_000 },
      async context => {
        const both = await hosts(context, 100)
        source.longestMs = 4
        let phase: 'warming' | 'before' | 'away' | 'again' = 'warming'
        const took = { warming: [] as number[], before: [] as number[], away: [] as number[], again: [] as number[] }
        const failures: string[] = []
        let isOver = false
        // 40 keys that are fresh for 150 ms: misses all the time, in every worker.
        const readers = Array.from({ length: 16 }, async (_, n) => {
          const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
          for (let turn = 0; !isOver; turn++) {
            const startedMs = performance.now()
            const told = await ask(both[n % 2]!, `/brief/b${(n * 7 + turn) % 40}`, 'GET', agent).catch(
              (error: unknown) => ({
                status: 0,
                body: String(error),
              }),
            )
            took[phase].push(performance.now() - startedMs)
            if (told.status !== 200 && failures.length < 5) failures.push(`${phase}: ${told.status} ${told.body}`)
          }
          agent.destroy()
        })
        const enough = (of: number[], count: number) =>
          eventually(() => (of.length >= count ? true : undefined), 60_000)
        await enough(took.warming, 2_000)
        phase = 'before'
        await enough(took.before, 2_000)
        await fail()
        phase = 'away'
        await enough(took.away, 2_000)
        await mend()
        phase = 'again'
        await enough(took.again, 2_000)
        // Found by one host though the other has loaded it: the tier is used again, by all four.
        await eventually(async () => {
          const key = `again${Math.random()}`
          const answers = await Promise.all(Array.from({ length: 24 }, (_, n) => ask(both[n % 2]!, `/pages/${key}`)))
          assert.ok(answers.every(({ status }) => status === 200))
          return source.loadsOf(key) === 1 ? true : undefined
        })
        isOver = true
        await Promise.all(readers)
        source.longestMs = 0
        assert.deepEqual(failures, [])
        const p99 = (of: readonly number[]) => of.toSorted((a, b) => a - b)[Math.floor(of.length * 0.99)]!
        const added = p99(took.away) - p99(took.before)
        const told = (['before', 'away', 'again'] as const).map(
          name => `${name} ${took[name].length} p99 ${p99(took[name]).toFixed(1)} ms`,
        )
        context.diagnostic(`${told.join(', ')}; added ${added.toFixed(1)} ms`)
        assert.ok(added < ADDED_MS, `added ${added} ms: ${told.join(', ')}`)
      },
    )
})
