// `millrace dev`: what somebody meets who edits an app while it runs.
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { APPS, isRunning, RunningCommand, startServer, temporaryFolder } from './running-server.ts'

const limit = { timeout: 240_000 }

const app = (greeting: string) => `import { App } from 'millrace'
import { mark } from './mark.ts'

const app = new App({ title: 'Edited' })
app.get('/', async () => '${greeting}' + mark)
export default app
`

async function folderWith(context: TestContext, source: string): Promise<{ directory: string; file: string }> {
  const directory = await temporaryFolder(context, APPS)
  await writeFile(join(directory, 'mark.ts'), "export const mark = '!'\n")
  await writeFile(join(directory, 'app.ts'), source)
  return { directory, file: join(directory, 'app.ts') }
}

/** Asks until they are as wanted. Linux alone tells. */
async function childrenWhen(pid: number, isWanted: (pids: readonly number[]) => boolean): Promise<readonly number[]> {
  for (;;) {
    const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
    const pids = text.split(' ').filter(Boolean).map(Number)
    if (isWanted(pids)) return pids
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

const say = async (url: string): Promise<unknown> => (await fetch(url)).json()

describe('dev', limit, () => {
  test('listens on this machine only, and a saved file is served at the next request', async context => {
    const { directory, file } = await folderWith(context, app('one'))
    const server = await startServer(context, ['dev', 'app.ts', '--port', '0'], { directory })
    assert.match(server.url, /^http:\/\/127\.0\.0\.1:\d+$/)
    assert.doesNotMatch(server.output, /all interfaces/)
    assert.equal(await say(server.url), 'one!')
    await writeFile(file, app('two'))
    await server.says(/app\.ts changed[^]*reloaded 1 worker/)
    assert.equal(await say(server.url), 'two!')
    await writeFile(join(directory, 'mark.ts'), "export const mark = '?'\n")
    await server.says(/mark\.ts changed[^]*reloaded 1 worker/)
    assert.equal(await say(server.url), 'two?')
    server.signal('SIGINT')
    assert.deepEqual(await server.exited, { code: 0, signal: null })
  })

  test('the next worker is started ahead of a save, and one whose environment has changed is not used', async context => {
    const source = app('one').replace('+ mark', "+ mark + (process.env.WHO ?? '')")
    const { directory, file } = await folderWith(context, source)
    const server = await startServer(context, ['dev', 'app.ts', '--port', '0'], { directory })
    const serving = async () => (await server.status()).workers.map(({ pid }) => pid)
    const [first] = await serving()
    // The worker, the next one, and the next reader of the app.
    const waiting = await childrenWhen(server.pid, pids => pids.length === 3)
    await writeFile(file, source.replace('one', 'two'))
    await server.says(/app\.ts changed[^]*reloaded 1 worker/)
    const [second] = await serving()
    assert.notEqual(second, first)
    assert.ok(waiting.includes(second!), `${second} is none of ${waiting.join(' ')}`)
    assert.equal(await say(server.url), 'two!')

    const next = await childrenWhen(server.pid, pids => pids.length === 3)
    await writeFile(join(directory, '.env'), 'WHO=Ada\n')
    await server.says(/\.env changed[^]*reloaded 1 worker/)
    assert.ok(!next.includes((await serving())[0]!))
    assert.equal(await say(server.url), 'two!Ada')
    server.signal('SIGTERM')
    assert.deepEqual(await server.exited, { code: 0, signal: null })
    for (const pid of [...waiting, ...next]) assert.ok(!isRunning(pid), `${pid} is left`)
  })

  test('new code that fails is told, and the old goes on until it is mended', async context => {
    const { directory, file } = await folderWith(context, app('one'))
    const server = await startServer(context, ['dev', 'app.ts', '--port', '0'], { directory })
    await writeFile(file, `${app('two')}\nthrow new Error('half done')\n`)
    await server.says(/not reloaded, the old workers go on: app\.ts:\d+: half done/)
    assert.equal(await say(server.url), 'one!')
    await writeFile(file, app('three'))
    await server.says(/reloaded 1 worker/)
    assert.equal(await say(server.url), 'three!')
  })

  test('an app that is broken from the start is served once it is mended', async context => {
    const { directory, file } = await folderWith(context, "import './nothing'\n")
    const command = new RunningCommand(['dev', 'app.ts', '--port', '0', '--admin', 'off'], { directory })
    context.after(async () => {
      command.child.kill('SIGKILL')
      await command.exited
    })
    await command.says(/error: app\.ts imports '\.\/nothing', but there is no such file[^]*waiting for a change/)
    await writeFile(file, app('one'))
    const [, url] = (await command.says(/^ +(http:\S+)/m)) as unknown as [string, string]
    assert.equal(await say(url), 'one!')
    command.signal('SIGTERM')
    assert.deepEqual(await command.exited, { code: 0, signal: null })
  })

  test('an unusable setting ends it: no change of a file could mend that', async context => {
    const { directory } = await folderWith(context, app('one'))
    const command = new RunningCommand(['dev', 'app.ts', '--workers', '2'], { directory })
    assert.equal((await command.exited).code, 2)
    assert.match(command.errors, /^error: millrace dev has no option --workers/)
  })
})
