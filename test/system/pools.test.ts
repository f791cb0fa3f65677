// Pools that add up, in real workers on a real server with max_connections 100.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { testServer } from '../data/support/server.ts'
import { CLOSE, startServer } from './running-server.ts'

const limit = { timeout: 240_000 }
// A worker that is replaced waits for idle connections until their time-out; a shorter one would end those of a busy machine before they speak.
const FLAGS = ['--port', '0', '--keep-alive-timeout', '3s']
const { server, open } = await testServer()
const watcher = await open({ maxConnections: 1, applicationName: 'watcher' })

interface Answer {
  readonly pid: number
  readonly max: number
}

/** Asks until so many workers have answered. */
async function poolsOf(url: string, workers: number, path = '/pool'): Promise<readonly Answer[]> {
  const found = new Map<number, Answer>()
  while (found.size < workers) {
    const answers = await Promise.all(
      Array.from({ length: 4 * workers }, async () => {
        const answer = await fetch(url + path, CLOSE)
        assert.equal(answer.status, 200)
        return (await answer.json()) as Answer
      }),
    )
    for (const answer of answers) found.set(answer.pid, answer)
  }
  return [...found.values()]
}

const connections = async () => {
  const rows = await watcher.sql<{ count: number }>`
    select count(*)::int as count from pg_stat_activity where application_name = 'pooled'`.one()
  return rows.count
}

describe('pools of all workers', limit, () => {
  test('8 workers on each of 4 hosts fit into 100 connections, also while they are replaced under load', async context => {
    const server8 = await startServer(context, ['serve', 'pooled.ts', ...FLAGS, '--workers', '8', '--replicas', '4'], {
      environment: { DATABASE_URL: server.url },
    })
    assert.deepEqual(
      (await poolsOf(server8.url, 8)).map(({ max }) => max),
      Array.from({ length: 8 }, () => 1),
    )
    let most = 0
    let isOver = false
    const watched = (async () => {
      while (!isOver) most = Math.max(most, await connections())
    })()
    await poolsOf(server8.url, 8, '/hold')
    server8.signal('SIGHUP')
    const asked = (async () => {
      while (!isOver) await poolsOf(server8.url, 1, '/hold')
    })()
    await server8.says(/reloaded 8 workers/)
    isOver = true
    await Promise.all([watched, asked])
    // A quarter of the 97 that there are; the pools alone, with nobody listening, come to 9.
    assert.ok(most >= 8 && most <= 9, `${most}`)
    assert.doesNotMatch(server8.errors, /do not fit/)
  })

  test('a number of workers that cannot fit is served, and one of them says why', async context => {
    const started = await startServer(context, ['serve', 'pooled.ts', ...FLAGS, '--workers', '2', '--replicas', '30'], {
      environment: { DATABASE_URL: server.url, POOL_SIZE: '20' },
    })
    assert.ok((await poolsOf(started.url, 2)).every(({ max }) => max === 20))
    const told = [...started.errors.matchAll(/do not fit: this app may take .*/g)].map(([line]) => line)
    assert.equal(told.length, 1)
    assert.match(
      told[0]!,
      /\(2 workers \+ 1 while replacing\) x 30 hosts x \(20 pooled \+ 1 listening\) \+ 1 migrating = 1891, and there are 97 .*; set max_connections of the server to at least 1894, or run on at most 1 host/,
    )
  })

  test('one worker more, and each pool is smaller', async context => {
    const started = await startServer(context, ['serve', 'pooled.ts', ...FLAGS, '--workers', '1', '--replicas', '4'], {
      environment: { DATABASE_URL: server.url },
    })
    assert.deepEqual(
      (await poolsOf(started.url, 1)).map(({ max }) => max),
      [10],
    )
    started.signal('SIGTTIN')
    await started.statusWhen(({ workers }) => workers.filter(({ state }) => state === 'ready').length === 2)
    assert.deepEqual(
      (await poolsOf(started.url, 2)).map(({ max }) => max),
      [7, 7],
    )
  })

  test('a number of workers that may grow is planned for at its most', async context => {
    const args = ['serve', 'pooled.ts', ...FLAGS, '--workers', '1', '--max-workers', '30']
    const started = await startServer(context, args, { environment: { DATABASE_URL: server.url } })
    assert.deepEqual(
      (await poolsOf(started.url, 1)).map(({ max }) => max),
      [2],
    )
  })
})

test(
  '4 hosts share one server: all replace their workers under load at once, and nobody is refused a connection',
  limit,
  async context => {
    // (2 workers + 1) x 4 hosts x (1 + 1) + 1 is 25, and pools of 2 would come to 37. The server holds the role to its limit.
    await watcher.script('create role small login connection limit 25')
    const url = server.url.replace('user=postgres', 'user=small')
    const hosts = await Promise.all(
      Array.from({ length: 4 }, () =>
        startServer(context, ['serve', 'pooled.ts', ...FLAGS, '--workers', '2', '--replicas', '4'], {
          environment: { DATABASE_URL: url },
        }),
      ),
    )
    let isOver = false
    const asked = hosts.map(async ({ url }) => {
      while (!isOver) assert.ok((await poolsOf(url, 1, '/hold')).every(({ max }) => max === 1))
    })
    for (const host of hosts) host.signal('SIGHUP')
    await Promise.all(hosts.map(host => host.says(/reloaded 2 workers/)))
    isOver = true
    await Promise.all(asked)
    for (const { errors } of hosts) assert.doesNotMatch(errors, /too many|do not fit|53300/)
  },
)
