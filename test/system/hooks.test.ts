// What a server does once, whatever the number of its workers: before them, with them, and after them.
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { APPS, RunningCommand, startServer, temporaryFolder } from './running-server.ts'

const directory = join(APPS, 'hooked')
const args = ['serve', 'app.ts', '--port', '0', '--workers', '2', '--keep-alive-timeout', '200ms']

async function logFile(context: TestContext) {
  const folder = await temporaryFolder(context)
  const file = join(folder, 'log')
  const notes = async () => (await readFile(file, 'utf8')).trimEnd().split('\n')
  return { folder, file, notes }
}

async function outcome(args: readonly string[], environment: Record<string, string> = {}) {
  const command = new RunningCommand([...args, '--admin', 'off'], { directory, environment })
  const { code } = await command.exited
  return { code, errors: command.errors }
}

describe('hooks', { timeout: 240_000 }, () => {
  test('run once each: before the workers, when they are ready, before they are replaced, and after them', async context => {
    const { file, notes } = await logFile(context)
    const server = await startServer(context, args, { directory, environment: { HOOKS_LOG: file } })
    assert.deepEqual(await notes(), ['onStart', 'worker begins', 'worker begins', 'onReady'])
    server.signal('SIGHUP')
    await server.says(/reloaded 2 workers/)
    server.signal('SIGTERM')
    assert.deepEqual(await server.exited, { code: 0, signal: null })
    const later = (await notes()).slice(4)
    assert.deepEqual(
      later.filter(note => note.startsWith('on')),
      ['onReload', 'onStop'],
    )
    assert.deepEqual([later[0], later.at(-1)], ['onReload', 'onStop'])
    assert.equal(later.filter(note => note === 'worker ends').length, 4)
  })

  test('one that throws at the start stops it, with code 3, file and line', async context => {
    const { file, notes } = await logFile(context)
    const { code, errors } = await outcome(args, { HOOKS_LOG: file, HOOKS_BROKEN: 'onStart' })
    assert.equal(code, 3)
    assert.match(errors, /^error: onStart failed: hooks\.ts:7: no connection/)
    assert.deepEqual(await notes(), ['onStart'])
  })

  test('one that takes longer than a worker may is ended', async context => {
    const { file } = await logFile(context)
    const environment = { HOOKS_LOG: file, HOOKS_SLOW: 'onStart' }
    const { code, errors } = await outcome([...args, '--start-timeout', '3s'], environment)
    assert.equal(code, 3)
    assert.match(errors, /^error: onStart of hooks\.ts has not ended within 3 s\n$/)
  })

  test('one that throws at a reload leaves the old workers serving; one that throws at the end is told', async context => {
    const { folder, file } = await logFile(context)
    // .env is read again by a reload.
    const dotenv = join(folder, '.env')
    await writeFile(dotenv, '')
    const server = await startServer(context, [...args, '--dotenv', dotenv], {
      directory,
      environment: { HOOKS_LOG: file },
    })
    const before = (await server.status()).workers.map(({ pid }) => pid)
    await writeFile(dotenv, 'HOOKS_BROKEN=onReload\n')
    server.signal('SIGHUP')
    await server.says(/not reloaded, the old workers go on: onReload failed: hooks\.ts:7: no connection/)
    assert.deepEqual(
      (await server.status()).workers.map(({ pid }) => pid),
      before,
    )
    await writeFile(dotenv, 'HOOKS_BROKEN=onStop\n')
    server.signal('SIGHUP')
    await server.says(/reloaded 2 workers/)
    server.signal('SIGTERM')
    assert.deepEqual(await server.exited, { code: 0, signal: null })
    assert.match(server.errors, /error onStop failed: hooks\.ts:7: no connection/)
  })

  test('a second TERM does not wait for the last one', async context => {
    const { file, notes } = await logFile(context)
    const environment = { HOOKS_LOG: file, HOOKS_SLOW: 'onStop' }
    const server = await startServer(context, args, { directory, environment })
    server.signal('SIGTERM')
    while (!(await notes()).includes('onStop')) await new Promise(resolve => setTimeout(resolve, 20))
    server.signal('SIGTERM')
    assert.deepEqual(await server.exited, { code: 0, signal: null })
  })

  test('a second TERM while requests are finished does not begin it', async context => {
    const { file, notes } = await logFile(context)
    const server = await startServer(context, args, { directory, environment: { HOOKS_LOG: file } })
    const slow = fetch(`${server.url}/slow`).catch(() => {})
    while (!(await notes()).includes('slow begins')) await new Promise(resolve => setTimeout(resolve, 20))
    server.signal('SIGTERM')
    await server.says(/stopping: requests in flight are finished first/)
    server.signal('SIGTERM')
    assert.deepEqual(await server.exited, { code: 0, signal: null })
    await slow
    assert.deepEqual((await notes()).includes('onStop'), false)
    assert.match(server.errors, /onStop of hooks\.ts was not called: the server ends at once/)
  })

  test('a module that is not there, or exports what is like a hook and none, stops the start', async context => {
    const missing = await outcome([...args, '--hooks', 'nowhere.ts'])
    assert.deepEqual(missing, { code: 2, errors: 'error: the hooks module nowhere.ts is not there\n' })
    const { folder } = await logFile(context)
    const hooks = join(folder, 'hooks.mjs')
    await writeFile(hooks, 'export function onStrat() {}\n')
    const { code, errors } = await outcome([...args, '--hooks', hooks])
    assert.equal(code, 2)
    assert.match(errors, /^error: .*hooks\.mjs exports onStrat, which is no hook; did you mean onStart\?\n$/)
  })
})
