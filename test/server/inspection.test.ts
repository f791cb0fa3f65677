import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

const MODULE = join(import.meta.dirname, '../../src/server/inspection.ts')
const posix = { skip: process.platform === 'win32' && 'there is no limit on the size of files' }

test('a heap snapshot that does not fit on the disk is an error, and leaves nothing there', posix, async context => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-snapshot-'))
  context.after(() => rm(folder, { recursive: true, maxRetries: 20 }))
  const file = join(folder, 'one.heapsnapshot')
  const script = `
    import { inspect } from ${JSON.stringify(MODULE)}
    const order = { what: 'heap-snapshot', file: ${JSON.stringify(file)} }
    await inspect(order).then(bytes => console.log('wrote', bytes), error => console.log(error.code, error.message))`
  // A limit on the size of each file, in half KiB: it fails in the midst of a piece, as a full disk does.
  const child = spawn(
    'sh',
    ['-c', 'ulimit -f 101 && exec "$@"', 'sh', process.execPath, '--conditions=millrace-source', '-e', script],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  await once(child, 'close')
  assert.match(output, /^CONTROL_FILE .*one\.heapsnapshot would be larger than files of the server may be/)
  assert.deepEqual(await readdir(folder), [])
})
