// What one worker does for all, with real processes: it goes on when that worker dies or is replaced, and is never done twice at once.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { CLOSE, startServer, temporaryFolder } from './running-server.ts'

const limit = { timeout: 240_000 }

async function startLed(context: TestContext) {
  const folder = await temporaryFolder(context)
  const file = join(folder, 'log')
  const args = ['serve', 'led.ts', '--port', '0', '--workers', '3', '--keep-alive-timeout', '200ms']
  const server = await startServer(context, args, { environment: { LEADER_LOG: file } })
  const notes = async () => (await readFile(file, 'utf8').catch(() => '')).trimEnd().split('\n')
  const notesWhen = async (count: number) => {
    for (;;) {
      const found = await notes()
      if (found.length >= count) return found
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }
  return { server, notes, notesWhen }
}

test(
  'one worker leads; when it is killed another does, and after a reload one of the new ones',
  limit,
  async context => {
    const { server, notes, notesWhen } = await startLed(context)
    const [first] = await notesWhen(1)
    const { leader, workers } = await server.status()
    const pidOf = (number: number | undefined) => workers.find(worker => worker.number === number)!.pid
    assert.equal(first, `begins ${pidOf(leader)}`)
    process.kill(pidOf(leader), 'SIGKILL')
    const second = (await notesWhen(2))[1]!
    assert.match(second, /^begins /)
    assert.notEqual(second, first)
    await server.statusWhen(({ workers }) => workers.filter(({ state }) => state === 'ready').length === 3)

    server.signal('SIGHUP')
    await server.says(/reloaded 3 workers/)
    const { workers: fresh } = await server.statusWhen(({ workers }) => workers.length === 3)
    server.signal('SIGTERM')
    assert.deepEqual(await server.exited, { code: 0, signal: null })
    // The killed one could not say that it ended. After that, each ends before the next begins.
    const all = (await notes()).slice(1)
    assert.equal(all.length % 2, 0)
    for (let n = 0; n < all.length; n += 2) assert.equal(all[n + 1], all[n]!.replace('begins', 'ends'))
    assert.ok(fresh.some(({ pid }) => all.at(-1) === `ends ${pid}`))
  },
)

test('a counter counts over all workers, and over a reload', limit, async context => {
  const { server } = await startLed(context)
  const visit = async () => {
    const answer = await fetch(`${server.url}/visits`, { method: 'POST', ...CLOSE })
    return (await answer.json()) as { pid: number; visits: number }
  }
  const seen: { pid: number; visits: number }[] = []
  while (new Set(seen.map(({ pid }) => pid)).size < 2)
    seen.push(...(await Promise.all(Array.from({ length: 10 }, visit))))
  assert.deepEqual(
    seen.map(({ visits }) => visits).sort((a, b) => a - b),
    seen.map((_, n) => n + 1),
  )
  server.signal('SIGHUP')
  await server.says(/reloaded 3 workers/)
  assert.equal((await visit()).visits, seen.length + 1)
})
