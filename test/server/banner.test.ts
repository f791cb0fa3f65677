import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readyText } from '../../src/server/banner.ts'

const manifest = { title: 'Shop', version: '1.0.0', docs: '/docs' }

test('a ready server says where it is, where its docs are, and how many workers it has, within 80 columns', () => {
  const address = { kind: 'tcp', host: '0.0.0.0', port: 8000 } as const
  const text = readyText({
    manifest,
    address,
    admin: 'http://127.0.0.1:9000',
    workers: 2,
    tookMs: 512,
    note: 'reloads',
  })
  assert.match(text, /^ +http:\/\/127\.0\.0\.1:8000 {2}\(all interfaces\)$/m)
  assert.match(text, /^ +docs +http:\/\/127\.0\.0\.1:8000\/docs$/m)
  assert.match(text, /^ +admin +http:\/\/127\.0\.0\.1:9000\/status$/m)
  assert.match(text, /^ +2 workers, ready in 0\.5 s$/m)
  for (const line of text.split('\n')) assert.ok(line.length <= 80, line)
})

test('on a unix socket there is no link to the docs', () => {
  const text = readyText({
    manifest,
    address: { kind: 'unix', path: '/run/a.sock' },
    admin: undefined,
    workers: 1,
    tookMs: 1,
  })
  assert.match(text, /unix:\/run\/a\.sock/)
  assert.doesNotMatch(text, /docs|admin/)
})
