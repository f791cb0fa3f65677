import assert from 'node:assert/strict'
import { mkdir, mkdtemp, realpath, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { relaunchOf } from '../../src/server/relaunch.ts'

test('the same command line, options of Node included', () => {
  const argv = ['/usr/bin/node', '/srv/bin/millrace.js', 'serve', 'app.ts']
  assert.deepEqual(relaunchOf(argv, ['--max-old-space-size=200'], '/', undefined), {
    file: '/usr/bin/node',
    args: ['--max-old-space-size=200', '/srv/bin/millrace.js', 'serve', 'app.ts'],
    directory: '/',
  })
})

test('is of the newest release, where the directory is a link to one', async context => {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'millrace-releases-')))
  context.after(() => rm(folder, { recursive: true }))
  const [one, other, current] = ['one', 'other', 'current'].map(name => join(folder, name)) as [string, string, string]
  await mkdir(one)
  await mkdir(other)
  await symlink(one, current)
  const script = join(one, 'node_modules/.bin/millrace')
  const { args, directory } = relaunchOf(['/node', script, 'serve'], [], one, current)
  assert.equal(directory, current)
  assert.deepEqual(args, [join(current, 'node_modules/.bin/millrace'), 'serve'])
  // A PWD that is another directory, or none, is not believed.
  assert.equal(relaunchOf(['/node', script], [], one, other).directory, one)
  assert.deepEqual(relaunchOf(['/node', script], [], one, join(folder, 'gone')).args, [script])
})
