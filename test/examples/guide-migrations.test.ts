// The hook of the guide's page on migrations: applies what is pending, says so, and does nothing the next time.
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { onStart } from '../../examples/guide/migrations.ts'
import { testServer } from '../data/support/server.ts'

const { server, open } = await testServer()

test('the hook migrates once', async () => {
  process.env['DATABASE_URL'] = server.url
  const log = mock.method(console, 'log', () => {})
  await onStart!()
  await onStart!()
  assert.deepEqual(
    log.mock.calls.map(({ arguments: [line] }) => line as unknown),
    ['migrated: 001-notes.sql, 002-find-notes.sql'],
  )
  log.mock.restore()
  const db = await open()
  assert.deepEqual(
    (await db.sql<{ name: string }>`select indexname as name from pg_indexes where tablename = 'notes' order by 1`).map(
      ({ name }) => name,
    ),
    ['notes_pkey', 'notes_text'],
  )
})
