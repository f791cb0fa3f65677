// One cache for all workers, in real processes: what many ask for at once is loaded once, and what was invalidated never comes back.
//
// CONNECTIONS=10000 and ROUNDS=10000 ask for more at once, and invalidate more often.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { test } from 'node:test'
import { CLOSE, RunningCommand, type RunningServer, startServer } from './running-server.ts'

const CONNECTIONS = Number(process.env['CONNECTIONS'] ?? 2_000)
const ROUNDS = Number(process.env['ROUNDS'] ?? 300)
const SERVE = ['serve', 'shared-cache.ts', '--port', '0', '--workers', '4', '--request-timeout', '5m'] as const

interface Told {
  readonly status: number
  readonly body: string
}

/** On a connection of its own, so that any worker may have it. */
async function ask(server: RunningServer, path: string, method = 'GET'): Promise<Told> {
  const request = http.request(`${server.url}${path}`, { method, agent: false }).end()
  const [answer] = (await once(request, 'response')) as [http.IncomingMessage]
  let body = ''
  for await (const piece of answer.setEncoding('utf8')) body += piece
  return { status: answer.statusCode!, body }
}

async function read<T>(server: RunningServer, path: string, method = 'GET'): Promise<T> {
  const { status, body } = await ask(server, path, method)
  assert.ok(status < 300, `${method} ${path}: ${status} ${body}`)
  return (body === '' ? undefined : JSON.parse(body)) as T
}

/** Opens the gate that the load of `path` stands at when all who ask for it are there. */
async function askAtOnce(server: RunningServer, path: string, count: number): Promise<Told[]> {
  const answers = Promise.all(Array.from({ length: count }, () => ask(server, path)))
  await Promise.race([answers, server.statusWhen(({ total }) => total.inflight >= count)])
  await read(server, `/gated/${path.split('/').at(-1)}`, 'POST')
  return answers
}

test('what many ask for at once is loaded once among all workers', { timeout: 300_000 }, async context => {
  const server = await startServer(context, SERVE)
  const kinds = (answers: readonly Told[]) => new Set(answers.map(({ status, body }) => `${status} ${body}`))

  const answers = await askAtOnce(server, '/gated/one', CONNECTIONS)
  assert.deepEqual(kinds(answers), new Set(['200 {"loads":1,"version":0,"filler":""}']))
  const { workers } = await server.statusWhen(({ total }) => total.requests[2]! >= CONNECTIONS)
  const busy = workers.filter(({ counters }) => counters.requests[2]! >= CONNECTIONS / 20)
  assert.ok(busy.length > 1, 'one worker had it all')
  const metrics = await (await fetch(`${server.admin}/metrics`, CLOSE)).text()
  assert.match(metrics, /^millrace_cache_loads_total\{cache="endpoints"\} 1$/m)

  // A failure is told to all who wait. Where there is an older value, that is served, and one attempt made in a second.
  await read(server, '/stale/old')
  await read(server, '/broken/yes', 'POST')
  const failed = await askAtOnce(server, '/gated/failing', 500)
  assert.deepEqual(new Set(failed.map(({ status }) => status)), new Set([500, 503]))
  assert.equal(await read(server, '/loads/failing'), 1)
  const before = await read<number>(server, '/loads/old')
  const began = performance.now()
  while (performance.now() - began < 3_000) assert.equal((await ask(server, '/stale/old')).status, 200)
  const seconds = (performance.now() - began) / 1_000
  const tries = (await read<number>(server, '/loads/old')) - before
  assert.ok(tries >= 1 && tries <= seconds + 2, `${tries} tries in ${seconds} s`)
  await read(server, '/broken/no', 'POST')
  assert.equal((await ask(server, '/gated/failing')).status, 200)

  // What is too large to travel is loaded once by each worker, and what a handler refuses is refused by each.
  await askAtOnce(server, '/gated/large', 200)
  const loads = await read<number>(server, '/loads/large')
  assert.ok(loads >= 1 && loads <= 4, `${loads} loads`)
  const missing = await askAtOnce(server, '/missing/nobody', 200)
  assert.deepEqual(new Set(missing.map(({ status }) => status)), new Set([404]))
  assert.ok((await read<number>(server, '/loads/nobody')) <= 4)
})

test('an invalidation during loads is never undone, in any worker', { timeout: 1_800_000 }, async context => {
  const server = await startServer(context, SERVE)
  let floor = 0
  let isOver = false
  let asked = 0
  const failures: string[] = []
  const pids = new Set<number>()
  const readers = Array.from({ length: 12 }, async () => {
    while (!isOver) {
      const atLeast = floor
      const found = await read<{ pid: number; version: number }>(server, '/values/k')
      asked++
      pids.add(found.pid)
      if (found.version < atLeast && failures.length < 5)
        failures.push(`${found.pid} said ${found.version} after ${atLeast}`)
    }
  })
  for (let round = 0; round < ROUNDS; round++) {
    floor = (await read<{ version: number }>(server, '/values/k', 'POST')).version
    if (round % 3 === 0) await new Promise(resolve => setTimeout(resolve, Math.random() * 10))
  }
  isOver = true
  await Promise.all(readers)
  assert.deepEqual(failures, [])
  assert.ok(pids.size > 1, 'one worker answered all')
  const loads = await read<number>(server, '/loads/k')
  assert.ok(loads < asked, `${loads} loads for ${asked} answers: nothing was cached`)

  // A worker that dies while it loads leaves the load to one of those who wait.
  const { workers } = await server.status()
  const cut = Array.from({ length: 40 }, () => ask(server, '/gated/left').catch(() => undefined))
  while ((await read<number>(server, '/loads/left')) === 0);
  for (const { pid } of workers.slice(0, 3)) process.kill(pid, 'SIGKILL')
  await read(server, '/gated/left', 'POST')
  assert.equal((await ask(server, '/gated/left')).status, 200)
  for (const told of await Promise.all(cut)) assert.ok(told === undefined || told.status === 200)
  assert.ok((await read<number>(server, '/loads/left')) <= 4)
})

test(
  'an operator has all workers forget a tag, by the admin listener or by ctl',
  { timeout: 240_000 },
  async context => {
    const server = await startServer(context, ['serve', 'shared-cache.ts', '--port', '0', '--workers', '2'])
    const purge = (path: string, init: RequestInit = { method: 'POST' }) =>
      fetch(`${server.admin}/cache/purge${path}`, init)
    /** Of what any of them keeps. */
    const kept = async () => new Set(await Promise.all(Array.from({ length: 20 }, () => loadsOf('/values/p'))))
    const loadsOf = async (path: string) => (await read<{ loads: number }>(server, path)).loads
    assert.deepEqual(await kept(), new Set([1]))

    const answer = await purge('?tag=other&tag=p')
    assert.deepEqual([answer.status, await answer.json()], [200, { purged: ['other', 'p'] }])
    assert.deepEqual(await kept(), new Set([2]))

    const command = new RunningCommand(['ctl', 'purge', 'p', '--server', String(server.port)])
    assert.equal((await command.exited).code, 0, command.errors)
    assert.equal(command.output, 'forgotten: p\n')
    assert.deepEqual(await kept(), new Set([3]))

    assert.equal((await purge('')).status, 400)
    const got = await purge('?tag=p', { method: 'GET' })
    assert.deepEqual([got.status, got.headers.get('allow')], [405, 'POST'])
    const fromPage = await purge('?tag=p', { method: 'POST', headers: { origin: 'https://evil.example' } })
    assert.equal(fromPage.status, 403)
    assert.deepEqual(await kept(), new Set([3]))
  },
)
