import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { keepReport } from '../../src/server/report-file.ts'

async function folderFor(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-reports-'))
  context.after(() => rm(folder, { recursive: true, maxRetries: 20 }))
  return folder
}

describe('the report of a blocked event loop', () => {
  test('is for its owner alone, also where a file or a link of somebody else has its name', async context => {
    const folder = await folderFor(context)
    const [file, theirs] = [join(folder, 'worker-1-20.json'), join(folder, 'theirs')]
    await writeFile(theirs, 'theirs')
    await symlink(theirs, file)
    keepReport(file, 'first')
    assert.equal(await readFile(theirs, 'utf8'), 'theirs')
    assert.equal(await readFile(file, 'utf8'), 'first')
    await rm(file)
    await writeFile(file, 'open to all', { mode: 0o666 })
    keepReport(file, 'second')
    assert.equal(await readFile(file, 'utf8'), 'second')
    assert.equal((await stat(file)).mode & 0o777, 0o600)
  })

  test('is one of ten: the oldest go, and nothing that is no report', async context => {
    const folder = await folderFor(context)
    await writeFile(join(folder, 'notes.json'), '')
    const longAgo = new Date(0)
    await utimes(join(folder, 'notes.json'), longAgo, longAgo)
    for (let n = 1; n <= 14; n++) {
      const file = join(folder, `worker-1-${n}.json`)
      keepReport(file, '{}')
      const at = new Date(1_000_000_000_000 + n * 1000)
      await utimes(file, at, at)
    }
    const left = new Set(await readdir(folder))
    assert.equal(left.size, 11)
    assert.ok(left.has('notes.json') && left.has('worker-1-14.json') && !left.has('worker-1-4.json'))
  })

  test('that cannot be written is none', async context => {
    const folder = await folderFor(context)
    await writeFile(join(folder, 'file'), '')
    keepReport(join(folder, 'file', 'worker-1-1.json'), '{}')
    assert.deepEqual(await readdir(folder), ['file'])
  })
})
