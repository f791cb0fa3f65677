import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect, DatabaseUnavailableError, embeddedPostgres } from '../../../src/data/postgres/index.ts'
import { eventually, isAlive, testServer } from '../support/server.ts'

const { server, dataDir, open } = await testServer()
const db = await open({ maxConnections: 4 })

/** What happened while `until` had not yet come true: the errors of callers that never stop asking. */
async function askUntil(until: () => boolean): Promise<unknown[]> {
  const errors: unknown[] = []
  await eventually(async () => {
    await Promise.all([1, 2, 3].map(() => db.sql`select 1 as a`.one().catch((error: unknown) => errors.push(error))))
    return until() || undefined
  })
  return errors
}

test('a server killed under load gives 503 with Retry-After, is started again, and the pool recovers by itself', async () => {
  const pid = server.pid
  const restarted = once(process, 'warning')
  const inFlight = [1, 2].map(() => db.sql`select pg_sleep(60)`.one())
  await eventually(() => (db.pool.open - db.pool.idle === 2 ? true : undefined))
  process.kill(pid, 'SIGKILL')
  for (const result of await Promise.allSettled(inFlight))
    assert.ok(result.status === 'rejected' && result.reason instanceof DatabaseUnavailableError)
  const errors = await askUntil(() => server.pid !== pid)
  const [warning] = (await restarted) as [Error & { code: string }]
  assert.equal(warning.code, 'POSTGRES_RESTARTED')
  for (const error of errors)
    assert.ok(
      error instanceof DatabaseUnavailableError && error.status === 503 && error.retryAfterMs! > 0,
      String(error),
    )
  await eventually(() => db.sql`select 1 as a`.one().catch(() => undefined))
  assert.ok(isAlive(server.pid))
  assert.equal(db.pool.idle, db.pool.open)
})

test('connections that the server ends while they idle are replaced unnoticed', async () => {
  await db.warm(3)
  const killer = await open({ maxConnections: 1 })
  await killer.sql`select pg_terminate_backend(pid, 5000) from pg_stat_activity
    where pid <> pg_backend_pid() and backend_type = 'client backend'`
  await eventually(() => (db.pool.open === 0 ? true : undefined))
  assert.deepEqual(await db.sql`select 1 as a`.one(), { a: 1 })
})

test('the wait ends with its signal, or after startTimeout', async () => {
  const port = await closedPort()
  const url = `postgresql://me:pa55word@127.0.0.1:${port}/shop`
  const stopped = new AbortController()
  const log = { warn: () => stopped.abort(new Error('stopped')) }
  await assert.rejects(connect({ url, log, signal: stopped.signal }), /stopped/)
  await assert.rejects(connect({ url, startTimeout: 0 }), (error: Error) => {
    assert.ok(error instanceof DatabaseUnavailableError)
    assert.equal(error.message, `PostgreSQL at 127.0.0.1:${port}/shop: connection refused`)
    return true
  })
})

test('a server that accepts and never answers is given up after connectTimeout', async () => {
  const silent = createServer(socket => socket.resume()).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as { port: number }
  const url = `postgresql://me@127.0.0.1:${port}/shop`
  await assert.rejects(connect({ url, connectTimeout: 50, startTimeout: 0 }), DatabaseUnavailableError)
  silent.close()
  await once(silent, 'close')
})

test('one that accepts and never answers is waited for like any other, also where a caller waits no longer than an attempt', async () => {
  const mute = createServer(() => {}).listen(0, '127.0.0.1')
  await once(mute, 'listening')
  const url = `postgresql://127.0.0.1:${(mute.address() as { port: number }).port}/shop`
  const enough = new AbortController()
  const told: string[] = []
  const log = { warn: (message: unknown) => told.push(String(message)) === 2 && enough.abort(new Error('enough')) }
  const options = { url, log, signal: enough.signal, acquireTimeout: 100, connectTimeout: 100 }
  await assert.rejects(connect(options), /enough/)
  for (const line of told)
    assert.match(
      line,
      /^PostgreSQL at 127\.0\.0\.1:\d+\/shop: (no connection opened within 100 ms|timeout expired); retrying in /,
    )
  mute.close()
})

test('a database that is away at start is waited for, with a warning that names it and no password', async () => {
  await db.close()
  await server.stop()
  const warnings: string[] = []
  const { promise: warned, resolve } = Promise.withResolvers<void>()
  const log = { warn: (message: string) => (warnings.push(message), resolve()) }
  const opening = connect({ url: `${server.url}&password=pa55word`, log })
  await warned
  const second = await embeddedPostgres({ dataDir })
  const late = await opening
  assert.deepEqual(await late.sql`select current_database() as name`.one(), { name: 'app' })
  assert.equal(warnings[0], `PostgreSQL at ${join(dataDir, 'socket')}/app: no such socket; retrying in 0.25 s`)
  assert.doesNotMatch(warnings.join(), /pa55word/)
  await late.close()
  await second.stop()
})

async function closedPort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  await once(probe, 'close')
  return port
}
