// What becomes of serving when nobody takes what the server and its app print.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { once } from 'node:events'
import http from 'node:http'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { APPS, atEnd, CLOSE, ROOT, startServer, temporaryFolder } from './running-server.ts'

const limits = { timeout: 240_000 }
const flags = ['serve', 'chatty.ts', '--port', '0'] as const
// 20 kB each: three times what is kept for a reader.
const REQUESTS = 150

async function askMany(url: string): Promise<Set<number>> {
  const pids = new Set<number>()
  for (let n = 0; n < REQUESTS; n++) {
    const answer = await fetch(url, CLOSE)
    assert.equal(answer.status, 200)
    pids.add(((await answer.json()) as { pid: number }).pid)
  }
  return pids
}

describe('serving goes on', limits, () => {
  test('when stdout and stderr are closed', async context => {
    const server = await startServer(context, flags)
    server.child.stdout.destroy()
    server.child.stderr.destroy()
    assert.equal((await askMany(server.url)).size, 1)
    assert.equal((await server.status()).restarts, 0)
    // Told into a closed pipe, by the supervisor.
    server.signal('SIGHUP')
    await server.statusWhen(status => status.reloads === 1)
    assert.equal((await askMany(server.url)).size, 1)
    server.signal('SIGTERM')
    assert.equal((await server.exited).code, 0)
  })

  test('when nobody reads stdout and stderr, without keeping all of it; what is lost is told later', async context => {
    const server = await startServer(context, flags)
    server.child.stdout.pause()
    server.child.stderr.pause()
    assert.equal((await askMany(server.url)).size, 1)
    server.child.stdout.resume()
    server.child.stderr.resume()
    // With the first line that is printed when the old ones are out.
    for (let n = 0; n < 1000 && !/lines before this could not be printed/.test(server.output); n++)
      await fetch(server.url, CLOSE)
    await server.says(/\(\d+ lines before this could not be printed\)/)
    const [, lost] = /\((\d+) lines before/.exec(server.output)!
    assert.ok(Number(lost) < REQUESTS, `${lost} lost`)
    assert.equal((await server.status()).restarts, 0)
    server.signal('SIGTERM')
    assert.equal((await server.exited).code, 0)
  })

  test('when the disk that they go to is full', { skip: !existsSync('/dev/full') && 'no /dev/full' }, async context => {
    const folder = await temporaryFolder(context)
    const socketPath = join(folder, 'app.sock')
    const args = ['--conditions=millrace-source', join(ROOT, 'src/cli/main.ts'), 'serve', 'chatty.ts']
    const server = spawn(
      'sh',
      ['-c', 'exec "$@" >/dev/full 2>&1', 'sh', process.execPath, ...args, '--uds', socketPath, '--admin', 'off'],
      { cwd: APPS, stdio: 'ignore' },
    )
    atEnd(context, () => server.kill('SIGKILL'))
    const ask = () =>
      new Promise<number | undefined>((resolve, reject) => {
        http
          .get({ socketPath, path: '/', agent: false }, response => {
            response.resume()
            resolve(response.statusCode)
          })
          .on('error', reject)
      })
    // It cannot say when it is ready.
    while ((await ask().catch(() => undefined)) === undefined) {
      assert.equal(server.exitCode, null)
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    for (let n = 0; n < 20; n++) assert.equal(await ask(), 200)
    server.kill('SIGTERM')
    const [code] = (await once(server, 'exit')) as [number | null]
    assert.equal(code, 0)
  })
})
