// What happens to PostgreSQL under load, and what that costs two workers: cached answers go on, the others are 503 with Retry-After, and when it is
// back everything is as before, with no connection more. The counts of each case stand in the output of the test.
import assert from 'node:assert/strict'
import http from 'node:http'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { chmod } from 'node:fs/promises'
import { connect, type Database, embeddedPostgres, type EmbeddedPostgres } from '../../src/data/postgres/index.ts'
import { atEnd, CLOSE, startServer, temporaryFolder } from './running-server.ts'

const limits = { timeout: 240_000 }
const MAX_CONNECTIONS = 4
const WORKERS = 2

interface Answer {
  readonly path: string
  readonly atMs: number
  /** 0: the connection broke. */
  readonly status: number
  readonly retryAfter: string | undefined
  readonly body: string
}

/** Callers that ask for the three routes in turn until told to stop, and keep every answer. */
class MixedLoad {
  readonly answers: Answer[] = []
  readonly #agent = new http.Agent({ keepAlive: true })
  readonly #done: Promise<unknown>
  #isOver = false

  constructor(port: number, callers: number, pauseMs: number) {
    const call = async (index: number): Promise<void> => {
      for (let turn = index; !this.#isOver; turn++) {
        const [method, path] = (
          [
            ['GET', '/plain'],
            ['GET', '/cached'],
            ['POST', '/sales'],
          ] as const
        )[turn % 3]!
        this.answers.push(await this.#ask(port, method, path))
        await sleep(pauseMs)
      }
    }
    this.#done = Promise.all(Array.from({ length: callers }, (_, index) => call(index)))
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.#done
    this.#agent.destroy()
  }

  /** What came since the moment, of the path. */
  since(atMs: number, path?: string): Answer[] {
    return this.answers.filter(answer => answer.atMs >= atMs && (path === undefined || answer.path === path))
  }

  #ask(port: number, method: string, path: string): Promise<Answer> {
    return new Promise(resolve => {
      const told = (status: number, body = '', retryAfter?: string) =>
        resolve({ path, atMs: performance.now(), status, retryAfter, body })
      http
        .request({ port, host: '127.0.0.1', method, path, agent: this.#agent }, response => {
          let body = ''
          response
            .setEncoding('utf8')
            .on('data', (text: string) => (body += text))
            .on('end', () => told(response.statusCode!, body, response.headers['retry-after']))
        })
        .on('error', () => told(0))
        .end()
    })
  }
}

/** With Retry-After; but for the sale that was lost at its commit, which nobody is to send again without having looked. */
function assertUnavailable({ status, path, retryAfter, body }: Answer, message: string): void {
  assert.equal(status, 503, message)
  if (path === '/sales' && retryAfter === undefined) assert.match(body, /whether the change was made is not known/)
  else assert.match(String(retryAfter), /^[1-9]\d*$/)
}

/** Counted as `200: 12, 503: 3`. */
function counted(answers: readonly Answer[]): string {
  const counts = new Map<number, number>()
  for (const { status } of answers) counts.set(status, (counts.get(status) ?? 0) + 1)
  return [...counts].map(([status, count]) => `${status}: ${count}`).join(', ')
}

async function until(isSo: () => boolean | Promise<boolean>, withinMs: number): Promise<void> {
  const endMs = performance.now() + withinMs
  while (!(await isSo())) {
    assert.ok(performance.now() < endMs, `not within ${withinMs} ms`)
    await sleep(20)
  }
}

test('a slow statement is in the log of its worker with its route, as --slow-query says, and the pools are in /metrics', async context => {
  const folder = await temporaryFolder(context)
  await chmod(folder, 0o755)
  const postgres = await embeddedPostgres({ dataDir: join(folder, 'pg') })
  atEnd(context, () => postgres.stop())
  const db = await connect({ url: postgres.url })
  await db.script('create table stock (id int primary key, n int); insert into stock values (1, 12), (2, 0)')
  const server = await startServer(
    context,
    ['serve', 'stocked.ts', '--port', '0', '--workers', '2', '--slow-query', '40ms'],
    { environment: { DATABASE_URL: postgres.url } },
  )
  const holder = await db.begin()
  await holder.sql`select from stock where id = 2 for update`
  const sale = fetch(`${server.url}/sales`, { method: 'POST' })
  await until(
    async () => (await db.sql`select from pg_stat_activity where wait_event_type = 'Lock'`.count()) === 1,
    15_000,
  )
  await sleep(100)
  await holder.close()
  assert.equal((await sale).status, 200)
  await server.says(
    /slow query .*route=\/sales statement="?update stock set n = n - 1 where id = 2 returning n"? .*ranMs=\d+/,
  )
  // With the next heartbeats.
  let text = ''
  await until(async () => {
    text = await (await fetch(`${server.admin}/metrics`, CLOSE)).text()
    return /^millrace_postgres_slow_queries_total\{[^}]+\} [1-9]/m.test(text)
  }, 15_000)
  for (const worker of [1, 2])
    assert.match(
      text,
      new RegExp(
        `^millrace_postgres_connections\\{worker="${worker}",pid="\\d+",database="[^"]+/app",state="idle"\\} 1$`,
        'm',
      ),
    )
  assert.match(text, /^millrace_postgres_wait_seconds_count\{database="[^"]+\/app"\} [1-9]/m)
  await db.close()
})

describe('PostgreSQL', limits, () => {
  /** Two workers under load, on a server of their own. */
  async function underLoad(context: TestContext) {
    const folder = await temporaryFolder(context)
    await chmod(folder, 0o755)
    const dataDir = join(folder, 'pg')
    const database: { current: EmbeddedPostgres } = { current: await embeddedPostgres({ dataDir }) }
    atEnd(context, () => database.current.stop())
    const setUp = await connect({ url: database.current.url })
    await setUp.script('create table stock (id int primary key, n int); insert into stock values (1, 12), (2, 0)')
    await setUp.close()
    const server = await startServer(context, ['serve', 'stocked.ts', '--port', '0', '--workers', String(WORKERS)], {
      environment: { DATABASE_URL: database.current.url },
    })
    const load = new MixedLoad(server.port, 12, 10)
    atEnd(context, () => load.stop())
    await until(() => load.answers.length > 300, 20_000)
    return { dataDir, database, server, load }
  }

  /** @returns how many connections of the app the server knows */
  async function sessions(watcher: Database): Promise<{ all: number; busy: number }> {
    return watcher.sql<{ all: number; busy: number }>`
      select count(*)::int as all, (count(*) filter (where state <> 'idle'))::int as busy
      from pg_stat_activity where application_name = 'stocked'`.one()
  }

  /** Everybody is answered 200 again, and stays so. @returns after how long */
  async function recovery(load: MixedLoad, backMs: number): Promise<number> {
    await until(
      () =>
        load
          .since(backMs)
          .slice(-60)
          .filter(({ status }) => status === 200).length === 60,
      15_000,
    )
    return (load.since(backMs).findLast(({ status }) => status !== 200)?.atMs ?? backMs) - backMs
  }

  /** What must hold however it went away. */
  async function assertKind(
    context: TestContext,
    { database, load }: Awaited<ReturnType<typeof underLoad>>,
    awayMs: number,
    backMs: number,
  ): Promise<void> {
    const recoveredMs = await recovery(load, backMs)
    const watcher = await connect({ url: database.current.url })
    // What is under way is not leaked.
    await load.stop()
    await until(async () => (await sessions(watcher)).busy === 0, 5000)
    const { all } = await sessions(watcher)
    const during = load.answers.filter(({ atMs }) => atMs >= awayMs && atMs < backMs)
    const cached = load.since(awayMs, '/cached')
    const others = during.filter(({ path }) => path !== '/cached')
    context.diagnostic(
      `away for ${(backMs - awayMs).toFixed(0)} ms: cached ${counted(cached)}; others ${counted(others)}; ` +
        `back to 200 after ${recoveredMs.toFixed(0)} ms; ${all} connections; in all ${counted(load.answers)}`,
    )
    assert.ok(cached.length > 10 && cached.every(({ status }) => status === 200), counted(cached))
    const refused = load.answers.filter(({ status }) => status !== 200)
    assert.ok(refused.length > 10, 'nobody noticed')
    for (const answer of refused) assertUnavailable(answer, counted(refused))
    assert.ok(recoveredMs < 5000, `${recoveredMs} ms`)
    assert.ok(all >= 1 && all <= WORKERS * MAX_CONNECTIONS, `${all} connections`)
    await watcher.close()
  }

  test('killed: the same, and the embedded server starts again by itself', async context => {
    const running = await underLoad(context)
    const { current } = running.database
    const { pid } = current
    const awayMs = performance.now()
    process.kill(pid, 'SIGKILL')
    // It is away for as long as its recovery takes, which the clients of an idle table hardly notice.
    await until(() => current.pid !== pid, 15_000)
    const backMs = performance.now()
    const recoveredMs = await recovery(running.load, backMs)
    await running.load.stop()
    const { answers } = running.load
    context.diagnostic(
      `away for ${(backMs - awayMs).toFixed(0)} ms; back to 200 after ${recoveredMs.toFixed(0)} ms; in all ${counted(answers)}`,
    )
    for (const answer of answers) {
      if (answer.status === 200) continue
      assert.notEqual(answer.path, '/cached', counted(answers))
      assertUnavailable(answer, counted(answers))
    }
    assert.ok(recoveredMs < 5000, `${recoveredMs} ms`)
  })

  test('restarted: cached routes serve, others are 503 with Retry-After, all is well within 5 s, no connection is left over', async context => {
    const running = await underLoad(context)
    const awayMs = performance.now()
    await running.database.current.stop()
    await sleep(1000)
    running.database.current = await embeddedPostgres({ dataDir: running.dataDir })
    await assertKind(context, running, awayMs, performance.now())
    // And when the app is gone, so are its connections.
    const watcher = await connect({ url: running.database.current.url })
    running.server.signal('SIGTERM')
    await running.server.exited
    await until(async () => (await sessions(watcher)).all === 0, 5000)
    await watcher.close()
  })
})
