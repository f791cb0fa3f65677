import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { askChild } from '../../src/server/ask-child.ts'
import { forkHooksChild } from '../../src/server/child-processes.ts'
import { StartError } from '../../src/server/errors.ts'
import { runHook } from '../../src/server/hooks.ts'
import { readManifest } from '../../src/server/manifest.ts'

const ROOT = join(import.meta.dirname, '../..')
const environment = process.env as Record<string, string>

/** Runs the code in a process that has no descriptor left when it comes to it. */
async function withoutDescriptors(code: string): Promise<string> {
  const module = (name: string) => JSON.stringify(join(ROOT, 'src/server', name))
  const script = `
    import { closeSync, openSync } from 'node:fs'
    import { runHook } from ${module('hooks.ts')}
    import { readManifest } from ${module('manifest.ts')}
    import { startSuccessor } from ${module('handover.ts')}
    const opened = []
    try { for (;;) opened.push(openSync('/dev/null')) } catch {}
    const environment = process.env
    const said = await ${code}.then(() => 'done', error => error.constructor.name + ' ' + error.message)
    for (const fd of opened) closeSync(fd)
    console.log(said)`
  const node = [process.execPath, '--conditions=millrace-source', '--input-type=module', '-e', script]
  const { stdout } = await promisify(execFile)('sh', ['-c', 'ulimit -n 64; exec "$@"', 'sh', ...node])
  return stdout
}

describe('a child that is asked', { timeout: 240_000 }, () => {
  test('and cannot be started for want of descriptors is told as such, of each kind', async () => {
    assert.match(
      await withoutDescriptors(
        `runHook({ name: 'onStop', file: 'hooks.ts', environment, services: [], timeoutMs: 60_000 })`,
      ),
      /^StartError onStop of hooks\.ts could not be started: spawn \S+ EMFILE/,
    )
    assert.match(
      await withoutDescriptors(`readManifest({ app: 'app.ts', environment })`),
      /^StartError the process that loads app\.ts could not be started: spawn \S+ EMFILE/,
    )
    assert.match(
      await withoutDescriptors(
        `startSuccessor({ relaunch: { file: process.execPath, args: [], directory: '.' }, estate: {}, listenFd: 1, signal: new AbortController().signal })`,
      ),
      /^StartError it cannot be started: spawn \S+ EMFILE/,
    )
  })

  test('under a signal that is aborted already does nothing: the app is not loaded, the hook not called', async () => {
    const signal = AbortSignal.abort()
    // Both would fail otherwise, for want of the module.
    await assert.rejects(readManifest({ app: 'nowhere.ts', environment, signal }), {
      code: 'LOAD_ENDED',
      message: 'stopped while the app was being loaded',
    })
    await assert.rejects(
      runHook({ name: 'onStop', file: 'nowhere.ts', environment, services: [], timeoutMs: 60_000, signal }),
      (error: unknown) => error instanceof StartError && /^onStop of nowhere\.ts was not called/.test(error.message),
    )
  })

  test('is ended when its time is over, and when it is told to end meanwhile', async () => {
    // It takes longer than a millisecond to be there.
    const question = { name: 'onStart', file: 'nowhere.ts', services: [] }
    const late = await askChild(forkHooksChild(environment), question, { timeoutMs: 1 })
    assert.deepEqual([late.isLate, late.exit.signal], [true, 'SIGKILL'])
    const abort = new AbortController()
    const child = forkHooksChild(environment)
    child.once('spawn', () => abort.abort())
    const ended = await askChild(child, question, { timeoutMs: 60_000, signal: abort.signal })
    assert.deepEqual([ended.isLate, ended.exit.signal, ended.answer], [false, 'SIGKILL', undefined])
  })
})
