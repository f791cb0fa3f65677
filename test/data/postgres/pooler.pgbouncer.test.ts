// Behind PgBouncer in transaction mode: no plan for pools that are not the server's, and migrations that need no session of their own.
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { LocalHost, provideHost } from '../../../src/core/host.ts'
import { migrate } from '../../../src/data/postgres/index.ts'
import { readCapacity } from '../../../src/data/postgres/capacity.ts'
import { followPlan } from '../../../src/data/postgres/planned-pool.ts'
import { type PgBouncer, startPgBouncer, withoutPgBouncer } from '../support/pgbouncer.ts'
import { temporaryFolder, testServer } from '../support/server.ts'
import { RunningCommand } from '../../system/running-server.ts'

describe('behind PgBouncer', { skip: withoutPgBouncer, timeout: 240_000 }, async () => {
  const { server, open } = await testServer()
  const bouncer: PgBouncer = await startPgBouncer(server.address, [
    'statement_timeout',
    'idle_in_transaction_session_timeout',
  ])
  after(() => bouncer.stop())
  const direct = await open()
  const openPooled = () => open({ url: bouncer.url, preparedStatements: 0 })
  const folder = await temporaryFolder()
  let made = 0

  async function folderOf(files: Readonly<Record<string, string>>): Promise<string> {
    const path = join(folder, `migrations-${++made}`)
    await mkdir(path)
    for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text)
    return path
  }

  test('a pool keeps its usual size, whatever the server has: the pooler’s limits count', async () => {
    const db = await openPooled()
    assert.equal((await readCapacity(db))!.isPooled, true)
    assert.equal((await readCapacity(direct))!.isPooled, false)
    const local = new LocalHost()
    local.extent = { workers: 100, surge: 1, hosts: 1 }
    const before = provideHost(local)
    const warnings: unknown[] = []
    ;(await followPlan(db, { url: bouncer.url }, { warn: text => void warnings.push(text) }))()
    provideHost(before)
    assert.deepEqual([db.pool.max, warnings], [10, []])
  })

  test('one that refuses our time-outs ends the start, and says how both could be had', async () => {
    const strict = await startPgBouncer(server.address, [])
    after(() => strict.stop())
    await assert.rejects(open({ url: strict.url }), {
      code: 'POSTGRES_REFUSED',
      message: /unsupported startup parameter: statement_timeout; .*ignore_startup_parameters = statement_timeout/,
    })
    const db = await open({ url: strict.url, statementTimeout: 0, idleInTransactionTimeout: 0 })
    assert.equal(await db.sql`select`.count(), 1)
  })

  test('the doctor says that a pooler is there', async () => {
    const command = new RunningCommand(['doctor', '--workers', '100'], { environment: { DATABASE_URL: bouncer.url } })
    assert.equal((await command.exited).code, 0)
    assert.match(command.output, /^~ pooler +one stands before the server/m)
    assert.doesNotMatch(command.output, /max_connections/)
  })

  test('migrations run once, whoever runs them at the same time, and leave no lock behind', async () => {
    const path = await folderOf(
      Object.fromEntries(
        Array.from({ length: 8 }, (_, n) => [`00${n}-step.sql`, `create table step_${n} (); select pg_sleep(0.02)`]),
      ),
    )
    const runs = await Promise.all(
      Array.from({ length: 5 }, async (_, n) => migrate(n < 4 ? await openPooled() : direct, path)),
    )
    assert.deepEqual(
      runs.flat().toSorted(),
      Array.from({ length: 8 }, (_, n) => `00${n}-step.sql`),
    )
    assert.equal(await direct.sql`select from pg_locks where locktype = 'advisory'`.count(), 0)
    // What a session was told is not left to the next who gets it.
    const { timeout } = await direct.sql<{ timeout: string }>`
      select current_setting('statement_timeout') as timeout`.one()
    assert.equal(timeout, '30s')
  })

  test('a migration without a transaction is refused with the way out, and nothing of it has run', async () => {
    const path = await folderOf({
      '100-table.sql': 'create table t (n int)',
      '101-index.sql': '-- millrace: no transaction\ncreate index concurrently t_n on t (n)',
    })
    const pooled = await openPooled()
    await direct.sql`truncate migrations`
    await assert.rejects(migrate(pooled, path), {
      code: 'POSTGRES_MIGRATION_POOLER',
      message: /101-index\.sql.*--url/s,
    })
    assert.deepEqual(await direct.sql`select name from migrations`, [{ name: '100-table.sql' }])
    assert.deepEqual(await migrate(direct, path), ['101-index.sql'])
  })
})
