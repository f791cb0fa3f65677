// The steps of the tour beyond what docs/tour.md shows: their form, and the promises in their comments.
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { cache } from 'millrace'
import { testClient } from 'millrace/testing'
import ts from 'typescript'
import type { App } from '../../src/index.ts'
import { readPage } from '../docs/pages.ts'

const folder = join(import.meta.dirname, '../../examples/tour')
const files = globSync('*.ts', { cwd: folder }).sort()
// The package with its subpaths, the schemas, and Node itself.
const ALLOWED = /^(millrace(\/\w+)?|zod|node:[\w/]+)$/

async function app(file: string): Promise<App> {
  const { default: app } = (await import(join(folder, file))) as { default: App }
  return app
}

describe('every step of the tour', () => {
  test('has a number of its own, and is shown in docs/tour.md under its question', () => {
    const tour = readPage('docs/tour.md')
    assert.equal(new Set(files.map(file => file.slice(0, 2))).size, files.length)
    const shown = tour.blocks.filter(({ language }) => language === 'ts').map(({ title }) => title)
    assert.deepEqual(
      shown,
      files.map(file => `examples/tour/${file}`),
    )
    for (const file of files) {
      const question = readFileSync(join(folder, file), 'utf8').split('\n', 1)[0]!.slice('// '.length)
      const heading = `${Number(file.slice(0, 2))}. ${question}`
      assert.ok(tour.prose.includes(`\n## ${heading}\n`), `docs/tour.md has no heading: ${heading}`)
      assert.ok(tour.prose.includes(`\n- [${heading}](#`), `its list lacks: ${heading}`)
    }
  })

  for (const file of files) {
    const source = readFileSync(join(folder, file), 'utf8')

    test(`${file} asks one question in at most 60 lines, and imports what a reader has`, () => {
      assert.match(source, /^\/\/ How .*\?\n/)
      assert.ok(source.split('\n').length <= 60)
      const { importedFiles } = ts.preProcessFile(source, true, true)
      for (const { fileName } of importedFiles) assert.match(fileName, ALLOWED, `${file} imports ${fileName}`)
    })

    test(`${file} describes all its routes`, async () => {
      const step = await app(file)
      const { paths } = step.openapi() as { paths: Record<string, object> }
      const all = [...source.matchAll(/\b\w+\.(get|post|put|patch|delete|ws)\(\s*'/g)].length
      const declared = all - [...source.matchAll(/\bhidden: true\b/g)].length
      const sockets = Object.keys(step.asyncapi().channels).length
      const described = Object.values(paths).flatMap(path => Object.keys(path)).length + sockets
      assert.ok(declared > 0)
      assert.equal(described, declared)
    })
  }
})

describe('answers', () => {
  test('a status that is not declared, and a key that is not, never leave', async () => {
    const api = testClient(await app('03-answers.ts'))
    after(() => api.close())
    const created = await api.fetch('/notes', json('POST', { text: 'Call Bob' }))
    assert.equal(created.status, 201)
    assert.equal(created.headers.get('location'), '/notes/2')
    assert.deepEqual(Object.keys((await created.json()) as object), ['id', 'text', 'at'])
  })
})

describe('dependencies', () => {
  test('a payment that fails changes nothing, one that succeeds changes both', async () => {
    const api = testClient(await app('04-dependencies.ts'))
    after(() => api.close())
    const pay = async (amount: number, to: string) =>
      (await api.fetch('/payments', json('POST', { to, amount }, { 'x-user': 'ada' }))).status
    const balance = async (user: string) => {
      const answer = await api.fetch('/balance', { headers: { 'x-user': user } })
      return ((await answer.json()) as { balance: number }).balance
    }
    assert.equal(await pay(40, 'bob'), 200)
    assert.equal(await pay(100, 'bob'), 409)
    assert.equal(await pay(10, 'eve'), 404)
    assert.equal(await pay(-10, 'bob'), 422)
    assert.deepEqual([await balance('ada'), await balance('bob')], [60, 40])
  })
})

describe('routers and middleware', () => {
  test('the guard and the headers are on every route of the router, and on no other', async () => {
    const api = testClient(await app('05-routers-and-middleware.ts'))
    after(() => api.close())
    for (const path of ['/v1/reports/daily', '/v1/reports/2026'] as const) {
      const refused = await api.fetch(path, { headers: { 'x-api-key': 'guess' } })
      assert.equal(refused.status, 403)
      assert.equal(refused.headers.get('cache-control'), 'no-store')
      assert.equal((await api.fetch(path, { headers: { 'x-api-key': 'secret' } })).status, 200)
    }
    const open = await api.fetch('/words')
    assert.equal(open.status, 200)
    assert.equal(open.headers.get('cache-control'), null)
    assert.match(open.headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/)
  })
})

describe('cache and limits', () => {
  test('a hundred first readers cost one load, and one more after an invalidation', async () => {
    const api = testClient(await app('06-cache-and-limits.ts'))
    after(() => api.close())
    const loads = async () => ((await (await api.fetch('/rates/USD')).json()) as { loads: number }).loads
    const first = await Promise.all(Array.from({ length: 100 }, loads))
    assert.equal(new Set(first).size, 1)
    await cache.invalidate('rate:USD')
    assert.equal(await loads(), first[0]! + 1)
  })

  test('what comes on top of the queue is refused with the advice to come back', async () => {
    const api = testClient(await app('06-cache-and-limits.ts'))
    after(() => api.close())
    const answers = await Promise.all(Array.from({ length: 5 }, () => api.fetch('/report')))
    const refused = answers.filter(answer => answer.status === 503)
    assert.equal(refused.length, 2)
    for (const answer of refused) assert.match(answer.headers.get('retry-after') ?? '', /^[123]$/)
  })
})

describe('background work', () => {
  test('is done after the answer, and not at all for a request that fails', async () => {
    const api = testClient(await app('29-background-work.ts'))
    after(() => api.close())
    const sent = async () => ((await (await api.fetch('/mails')).json()) as { sent: number }).sent
    assert.equal((await api.fetch('/mails/broken', { method: 'POST' })).status, 500)
    const answer = await api.fetch('/mails', json('POST', { to: ['bob@example.com'] }, { 'x-user': 'ada' }))
    assert.equal(answer.status, 202)
    assert.equal(await sent(), 0)
    while ((await sent()) === 0);
    assert.equal(await sent(), 1)
  })
})

describe('settings', () => {
  test('can be others for a test', async () => {
    const { config, default: info, Settings } = await import('../../examples/tour/31-settings.ts')
    info.override(Settings, { ...config, itemsPerPage: 2 })
    const api = testClient(info)
    after(() => api.close())
    assert.equal(((await (await api.fetch('/info')).json()) as { itemsPerPage: number }).itemsPerPage, 2)
  })
})

describe('the format of errors', () => {
  test('is made by one middleware for all routes, and for what no route takes', async () => {
    const api = testClient(await app('34-error-format.ts'))
    after(() => api.close())
    for (const path of ['/items/10', '/nowhere'] as const) {
      const answer = await api.fetch(path)
      assert.deepEqual([answer.status, await answer.json()], [404, { error: { code: 'HTTP_404' } }])
    }
    const refused = await api.fetch('/items/none')
    const fields = [{ field: 'id', message: 'Not an integer' }]
    assert.deepEqual([refused.status, await refused.json()], [422, { error: { code: 'INVALID', fields } }])
  })
})

describe('partial updates', () => {
  test('keep what is absent, and refuse what is null where nothing may be', async () => {
    const api = testClient(await app('32-partial-updates.ts'))
    after(() => api.close())
    const before = await (await api.fetch('/items/lamp')).json()
    assert.deepEqual(await (await api.fetch('/items/lamp', json('PATCH', {}))).json(), before)
    assert.equal((await api.fetch('/items/lamp', json('PATCH', { name: null }))).status, 422)
    assert.equal((await api.fetch('/items/sofa', json('PATCH', {}))).status, 404)
  })
})

function json(method: string, body: unknown, headers: Record<string, string> = {}): RequestInit {
  return { method, body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } }
}
