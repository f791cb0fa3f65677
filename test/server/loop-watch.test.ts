import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { LoopWatch } from '../../src/server/loop-watch.ts'

describe('the watch of an event loop', { timeout: 240_000 }, () => {
  test('reports one that is blocked, and not one that stands still on purpose', async context => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-watch-'))
    context.after(() => rm(folder, { recursive: true, maxRetries: 20 }))
    const file = join(folder, 'worker-1-1.json')
    const watch = new LoopWatch({ silentTicks: 1, file })
    // Held from its first look on: it looks once a second, and would report at the second look without a beat.
    watch.hold()
    const until = performance.now() + 3_500
    while (performance.now() < until);
    assert.equal(existsSync(file), false)
    watch.goOn()
    const deadline = performance.now() + 30_000
    while (!existsSync(file) && performance.now() < deadline);
    assert.equal(existsSync(file), true)
  })

  test('that cannot be started is none: the worker serves without', async () => {
    const module = join(import.meta.dirname, '../../src/server/loop-watch.ts')
    const script = `
      import { LoopWatch } from ${JSON.stringify(module)}
      const watch = new LoopWatch({ silentTicks: 1, file: '/dev/null/none' })
      watch.beat()
      console.log('serves')`
    // Without the right to make threads the call itself throws.
    const child = spawn(
      process.execPath,
      ['--permission', '--allow-fs-read=*', '--conditions=millrace-source', '--input-type=module', '-e', script],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (output += text))
    const [code] = await once(child, 'close')
    assert.equal(code, 0, output)
    assert.match(output, /^serves$/m)
  })
})
