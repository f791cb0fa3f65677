import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { writePidFile } from '../../src/server/pidfile.ts'

async function place(context: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-pid-'))
  context.after(() => rm(folder, { recursive: true }))
  return { folder, path: join(folder, 'server.pid') }
}

/** A process that runs until the test is over. */
async function someProcess(context: TestContext): Promise<number> {
  const child = spawn('sleep', ['60'])
  await once(child, 'spawn')
  context.after(() => child.kill('SIGKILL'))
  return child.pid!
}

describe('a pid file', () => {
  test('names the process, leaves nothing else behind, and goes with it', async context => {
    const { folder, path } = await place(context)
    const file = await writePidFile(path)
    assert.equal(await readFile(path, 'utf8'), `${process.pid}\n`)
    assert.deepEqual(await readdir(folder), ['server.pid'])
    await file.remove()
    assert.deepEqual(await readdir(folder), [])
  })

  test('of a process that runs is refused, and stays as it was', async context => {
    const { folder, path } = await place(context)
    const pid = await someProcess(context)
    await writeFile(path, `${pid}\n`)
    await assert.rejects(writePidFile(path), (error: Error & { code: string; exitCode: number }) => {
      assert.deepEqual([error.code, error.exitCode], ['PIDFILE_BUSY', 4])
      assert.match(error.message, new RegExp(`server\\.pid names process ${pid}, which runs`))
      return true
    })
    assert.equal(await readFile(path, 'utf8'), `${pid}\n`)
    assert.deepEqual(await readdir(folder), ['server.pid'])
  })

  test('of one that is gone is stale', async context => {
    const { path } = await place(context)
    const child = spawn('true')
    await once(child, 'exit')
    await writeFile(path, `${child.pid}\n`)
    await writePidFile(path)
    assert.equal(await readFile(path, 'utf8'), `${process.pid}\n`)
  })

  test(
    'of a number that another process has by now is stale',
    { skip: process.platform !== 'linux' && 'the system does not tell when a process began' },
    async context => {
      const { path } = await place(context)
      await writeFile(path, `${await someProcess(context)}\n`)
      const longAgo = new Date(Date.now() - 3_600_000)
      await utimes(path, longAgo, longAgo)
      await writePidFile(path)
      assert.equal(await readFile(path, 'utf8'), `${process.pid}\n`)
    },
  )

  for (const [what, text] of [
    ['nothing', ''],
    ['words', 'not a pid'],
    ['several lines', '1\n2\n'],
  ] as const)
    test(`that holds ${what} is stale`, async context => {
      const { path } = await place(context)
      await writeFile(path, text)
      await writePidFile(path)
      assert.equal(await readFile(path, 'utf8'), `${process.pid}\n`)
    })

  test('is taken over from a predecessor, who does not remove it then', async context => {
    const { path } = await place(context)
    const before = await someProcess(context)
    const old = await writePidFile(path, before)
    const file = await writePidFile(path, process.pid, before)
    assert.equal(await readFile(path, 'utf8'), `${process.pid}\n`)
    await old.remove()
    assert.equal(await readFile(path, 'utf8'), `${process.pid}\n`)
    await file.remove()
    await assert.rejects(readFile(path), { code: 'ENOENT' })
  })

  test('of two that begin together one gets it', async context => {
    const { folder, path } = await place(context)
    const pids = [await someProcess(context), await someProcess(context)]
    const outcomes = await Promise.allSettled(pids.map(pid => writePidFile(path, pid)))
    assert.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
    assert.deepEqual(await readdir(folder), ['server.pid'])
  })

  test('that is stale, of two that begin together one gets it', async context => {
    const { folder, path } = await place(context)
    const gone = spawn('true')
    await once(gone, 'exit')
    const pids = [await someProcess(context), await someProcess(context)]
    // Each pair meets in another moment.
    for (let times = 0; times < 200; times++) {
      await writeFile(path, `${gone.pid}\n`)
      const outcomes = await Promise.allSettled(pids.map(pid => writePidFile(path, pid)))
      assert.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
      const winner = pids[outcomes.findIndex(({ status }) => status === 'fulfilled')]
      assert.equal(await readFile(path, 'utf8'), `${winner}\n`)
      assert.deepEqual(await readdir(folder), ['server.pid'])
    }
  })

  test('where it cannot be written is an error with the path', async context => {
    const { folder } = await place(context)
    await assert.rejects(writePidFile(join(folder, 'no', 'server.pid')), {
      code: 'PIDFILE_FAILED',
      message: /the pid file .*no\/server\.pid cannot be written: ENOENT/,
    })
  })
})
