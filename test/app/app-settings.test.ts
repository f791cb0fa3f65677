import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { MillraceError, settings, UsageError } from 'millrace'
import * as z from 'zod'

const Shop = z.object({
  adminEmail: z.email(),
  itemsPerPage: z.int().positive().default(50),
  debug: z.boolean().default(false),
  hosts: z.array(z.string()).default([]),
  opened: z.date().optional(),
})

describe('settings()', () => {
  test('are typed: text of the environment becomes what the schema declares', () => {
    const environment = {
      ADMIN_EMAIL: 'ada@shop.example',
      ITEMS_PER_PAGE: '20',
      DEBUG: 'on',
      HOSTS: 'shop.example, www.shop.example',
      OPENED: '2026-11-02T09:30:00Z',
    }
    const config = settings(Shop, { environment, file: false })
    assert.equal(config.itemsPerPage + 1, 21)
    assert.deepEqual(config, {
      adminEmail: 'ada@shop.example',
      itemsPerPage: 20,
      debug: true,
      hosts: ['shop.example', 'www.shop.example'],
      opened: new Date('2026-11-02T09:30:00Z'),
    })
  })

  test('have their defaults; an empty variable counts as unset, and undeclared ones are not there', () => {
    const environment = { ADMIN_EMAIL: 'ada@shop.example', ITEMS_PER_PAGE: '', PATH: '/bin' }
    const expected = { adminEmail: 'ada@shop.example', itemsPerPage: 50, debug: false, hosts: [] }
    assert.deepEqual(settings(Shop, { environment, file: false }), expected)
  })

  test('are found under a name as it is written too, and by plain JSON Schema', () => {
    const schema = { type: 'object', properties: { api_key: { type: 'string' } }, required: ['api_key'] } as const
    assert.deepEqual(settings(schema, { environment: { api_key: 'a' }, file: false }), { api_key: 'a' })
    assert.deepEqual(settings(schema, { environment: { API_KEY: 'b' }, file: false }), { api_key: 'b' })
  })

  test('come from process.env by default, over a .env file that need not be there', () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-settings-'))
    const file = join(folder, '.env')
    const environment = { ITEMS_PER_PAGE: '10' }
    try {
      assert.throws(() => settings(Shop, { environment, file }), { code: 'APP_ENVIRONMENT' })
      writeFileSync(file, '# for development\nADMIN_EMAIL="ada@shop.example"\nITEMS_PER_PAGE=30\n')
      const { adminEmail, itemsPerPage } = settings(Shop, { environment, file })
      assert.deepEqual([adminEmail, itemsPerPage], ['ada@shop.example', 10])
    } finally {
      rmSync(folder, { recursive: true })
    }
    assert.equal(settings(z.object({ PATH: z.string() })).PATH, process.env['PATH'])
  })

  test('that are missing or do not fit are told all at once, by variable and without their values', () => {
    const environment = { ADMIN_EMAIL: 'hunter2', ITEMS_PER_PAGE: 'many' }
    const schema = z.object({ ...Shop.shape, databaseUrl: z.string() })
    assert.throws(
      () => settings(schema, { environment, file: false }),
      (error: unknown) => {
        assert.ok(error instanceof MillraceError)
        assert.equal(error.code, 'APP_ENVIRONMENT')
        assert.match(error.message, /ADMIN_EMAIL: Invalid email address; ITEMS_PER_PAGE: Not an integer;/)
        assert.match(error.message, /DATABASE_URL is not set/)
        assert.doesNotMatch(JSON.stringify(error) + error.message, /hunter2|many/)
        return true
      },
    )
  })

  test('are read at once: an asynchronous schema is refused', () => {
    const schema = z.object({ PATH: z.string().refine(async () => true) })
    assert.throws(() => settings(schema), UsageError)
  })
})
