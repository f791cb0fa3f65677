// `millrace dev`: what somebody meets who edits an app while it runs.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { APPS, RunningCommand, startServer } from './running-server.ts'

const limit = { timeout: 60_000 }

const app = (greeting: string) => `import { App } from 'millrace'
import { mark } from './mark.ts'

const app = new App({ title: 'Edited' })
app.get('/', async () => '${greeting}' + mark)
export default app
`

async function folderWith(context: TestContext, source: string): Promise<{ directory: string; file: string }> {
  const directory = await mkdtemp(join(APPS, 'edited-'))
  context.after(() => rm(directory, { recursive: true, maxRetries: 20 }))
  await writeFile(join(directory, 'mark.ts'), "export const mark = '!'\n")
  await writeFile(join(directory, 'app.ts'), source)
  return { directory, file: join(directory, 'app.ts') }
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
