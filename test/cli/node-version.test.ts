import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import vm from 'node:vm'
import { isSupportedNode, tooOldNode } from '../../src/cli/node-version.ts'

const OLD = ['0.10.48', '14.21.3', '20.19.5', '22.0.0', '22.17.1']
const NEW = ['22.18.0', '22.23.3', '23.0.0', '24.1.0', '26.10.0', '100.0.0']

test('22.18 is the oldest Node that is accepted', () => {
  for (const version of OLD) assert.equal(isSupportedNode(version), false, version)
  for (const version of NEW) assert.equal(isSupportedNode(version), true, version)
})

test('bin/millrace.js decides the same, and says one sentence to an old Node', async () => {
  const source = await readFile(join(import.meta.dirname, '../../bin/millrace.js'), 'utf8')
  const body = source.replace(/^#!.*\n/, '').replace(/import\((.*)\)/, 'load($1)')
  for (const version of [...OLD, ...NEW]) {
    const written: string[] = []
    const loaded: string[] = []
    const process = {
      versions: { node: version },
      stderr: { write: (text: string) => written.push(text) },
      exitCode: 0,
    }
    vm.runInNewContext(body, { process, load: (path: string) => loaded.push(path) })
    const isNew = NEW.includes(version)
    assert.deepEqual(written, isNew ? [] : [`${tooOldNode(version)}\n`], version)
    assert.deepEqual(loaded, isNew ? ['../dist/cli/main.js'] : [], version)
    assert.equal(process.exitCode, isNew ? 0 : 1, version)
  }
})
