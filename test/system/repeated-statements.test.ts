// A request that sends one statement again and again is told in development, and there alone.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { testServer } from '../data/support/server.ts'
import { APPS, CLOSE, startServer, temporaryFolder } from './running-server.ts'

const limit = { timeout: 240_000 }
const database = await testServer()

const APP = `import { App } from 'millrace'
import { postgres } from 'millrace/postgres'
import { nameOf } from './store.ts'
import * as z from 'zod'

const db = postgres({ maxConnections: 2 })
const app = new App()
const query = z.object({ n: z.int() })
app.get('/names', { query, uses: { db } }, async ({ query, db }) => {
  const names: unknown[] = []
  for (let id = 0; id < query.n; id++) names.push(await nameOf(db, id))
  return names
})
app.get('/in-a-transaction', { query, uses: { db } }, ({ query, db }) =>
  db.transaction(async tx => {
    for (let id = 0; id < query.n; id++) await tx.query('select $1::int as id', [id])
    return query.n
  }),
)
app.get('/of-a-replica', { query, uses: { db } }, async ({ query, db }) => {
  for (let id = 0; id < query.n; id++) await db.replica.rowArrays('select $1::int as of_replica', [id])
  return query.n
})
app.get('/written', { query, uses: { db } }, async ({ query, db }) => {
  await db.script('create table if not exists written (id int)')
  for (let id = 0; id < query.n; id++) await db.sql\`insert into written values (\${id})\`
  return query.n
})
app.get('/watched', { query, uses: { db } }, async ({ query, db }) => {
  for (let look = 0; look < query.n; look++) {
    await db.sql\`select now()\`
    await new Promise(resolve => setTimeout(resolve, look % 8 === 7 ? 1200 : 0))
  }
  return query.n
})
app.get('/together', { uses: { db } }, async ({ db }) => {
  const rows = await Promise.all(Array.from({ length: 9 }, (_, id) => nameOf(db, id)))
  return rows.length
})
export default app
`
const STORE = `import type { Database } from 'millrace/postgres'

export async function nameOf(db: Database, id: number): Promise<unknown> {
  return db.sql\`select 'name ' || \${id}::text as name\`.one()
}
`

async function start(context: TestContext, command: 'dev' | 'serve') {
  const directory = await temporaryFolder(context, APPS)
  await writeFile(join(directory, 'app.ts'), APP)
  await writeFile(join(directory, 'store.ts'), STORE)
  const environment = { DATABASE_URL: database.server.url }
  return startServer(context, [command, 'app.ts', '--port', '0'], { directory, environment })
}

describe('the same statement more than ten times in one request', limit, () => {
  test('is told in development: once for a route and a statement, how often, and by which line', async context => {
    const server = await start(context, 'dev')
    const ask = async (path: string) => assert.equal((await fetch(server.url + path, CLOSE)).status, 200)
    await ask('/names?n=10')
    await ask('/together')
    await ask('/together')
    await ask('/names?n=12')
    await ask('/names?n=13')
    await ask('/in-a-transaction?n=11')
    await Promise.all([server.says(/same statement 12 times/), server.says(/same statement 11 times/)])
    const said = server.output + server.errors
    const told = said.match(/one request sent the same statement \d+ times/g)
    assert.deepEqual(told?.map(line => /\d+/.exec(line)![0]).sort(), ['11', '12'])
    assert.match(said, /\/names/)
    assert.match(said, /\/in-a-transaction/)
    assert.match(said, /select 'name ' \|\| \$1::text as name/)
    assert.match(said, /store\.ts:4/)
    assert.match(said, /app\.ts:11/)
    assert.match(said, /app\.ts:16/)
  })

  test('is told of a replica and of query builders too, with the way out for what writes, and not of what looks now and then', async context => {
    const server = await start(context, 'dev')
    const ask = async (path: string) => assert.equal((await fetch(server.url + path, CLOSE)).status, 200)
    await ask('/watched?n=20')
    await Promise.all([ask('/of-a-replica?n=12'), ask('/written?n=13')])
    await Promise.all([
      server.says(/same statement 12 times; lookups by key become one statement by db\.loader/),
      server.says(/same statement 13 times; one can insert many rows/),
    ])
    assert.doesNotMatch(server.output + server.errors, /select now\(\)/)
  })

  test('is not looked for in production', async context => {
    const server = await start(context, 'serve')
    assert.equal((await fetch(`${server.url}/names?n=50`, CLOSE)).status, 200)
    server.signal('SIGTERM')
    await server.exited
    assert.doesNotMatch(server.output + server.errors, /same statement/)
  })
})
