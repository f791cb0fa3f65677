// Small files in memory: sent from there only while the disk has the same.
import assert from 'node:assert/strict'
import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, mock, test } from 'node:test'
import { OpenedFile } from '../../src/app/opened-file.ts'

let outer: string
let root: string
const at = (name: string) => join(root, name)

before(() => {
  outer = mkdtempSync(join(tmpdir(), 'millrace-kept-'))
  root = join(outer, 'public')
  mkdirSync(root)
})
after(() => rmSync(outer, { recursive: true, force: true }))
// Files written now have rested for an hour.
beforeEach(() => mock.timers.enable({ apis: ['Date'], now: Date.now() + 3_600_000 }))
afterEach(() => mock.timers.reset())

async function read(name: string, ...of: [folder?: string, followLinks?: boolean]): Promise<Buffer> {
  const opened = await OpenedFile.open(name, of[0] ?? root, of[1])
  return (await opened.read(0, opened.size)) as Buffer
}
const isSameMemory = (one: Buffer, other: Buffer) => one.buffer === other.buffer && one.byteOffset === other.byteOffset

describe('a small file', () => {
  test('is read once, and sent from memory while it is the same', async () => {
    writeFileSync(at('a.txt'), 'one')
    const [first, second] = [await read('a.txt'), await read('a.txt')]
    assert.equal(second.toString(), 'one')
    assert.ok(isSameMemory(first, second))
    const part = await (await OpenedFile.open('a.txt', root)).read(1, 2)
    assert.equal(Buffer.from(part).toString(), 'ne')
    const pieces = (await OpenedFile.open('a.txt', root)).stream(0, 2)
    assert.equal(await new Response(pieces as ReadableStream<Uint8Array<ArrayBuffer>>).text(), 'on')
  })

  test('is read again when it was written to, even to the same size with the same time', async () => {
    writeFileSync(at('b.txt'), 'one')
    const { atime, mtime } = statSync(at('b.txt'))
    assert.equal((await read('b.txt')).toString(), 'one')
    // Until the clock of the file system has gone on: the clock of this test says that it has.
    const changed = () => statSync(at('b.txt'), { bigint: true }).ctimeNs
    for (const before = changed(); changed() === before;) {
      writeFileSync(at('b.txt'), 'two')
      utimesSync(at('b.txt'), atime, mtime)
    }
    assert.equal((await read('b.txt')).toString(), 'two')
  })

  test('is read again when another has its name, and is gone when it is', async () => {
    writeFileSync(at('c.txt'), 'one')
    await read('c.txt')
    writeFileSync(at('c.new'), 'two')
    renameSync(at('c.new'), at('c.txt'))
    assert.equal((await read('c.txt')).toString(), 'two')
    unlinkSync(at('c.txt'))
    await assert.rejects(read('c.txt'), { code: 'APP_NO_FILE' })
  })

  test('is not had through a link that now leads out of its folder', async () => {
    writeFileSync(at('in.txt'), 'inside')
    writeFileSync(join(outer, 'out.txt'), 'outside')
    symlinkSync('in.txt', at('link.txt'))
    assert.equal((await read('link.txt')).toString(), 'inside')
    assert.equal((await read('link.txt')).toString(), 'inside')
    unlinkSync(at('link.txt'))
    symlinkSync(join(outer, 'out.txt'), at('link.txt'))
    await assert.rejects(read('link.txt'), { code: 'APP_NO_FILE' })
    assert.equal((await read('link.txt', root, true)).toString(), 'outside')
    await assert.rejects(read('link.txt'), { code: 'APP_NO_FILE' }, 'what one rule lets through, another does not')
  })

  test('and its variants are kept apart, each held against its own file', async () => {
    writeFileSync(at('d.css'), 'plain')
    writeFileSync(at('d.css.br'), 'brotli')
    const variant = async () => {
      const opened = await OpenedFile.open('d.css', root)
      const beside = await opened.beside('.br')
      await opened.close()
      return (await beside?.read(0, beside.size)) as Buffer | undefined
    }
    const [first, second] = [await variant(), await variant()]
    assert.ok(isSameMemory(first!, second!))
    unlinkSync(at('d.css.br'))
    assert.equal(await variant(), undefined)
    symlinkSync(join(outer, 'out.txt'), at('d.css.br'))
    assert.equal(await variant(), undefined, 'a link is followed no more than without memory')
  })
})

describe('a file', () => {
  test('that was written just now is not kept: it could be written again within one tick of the clock', async () => {
    mock.timers.reset()
    writeFileSync(at('new.txt'), 'x')
    assert.ok(!isSameMemory(await read('new.txt'), await read('new.txt')))
  })

  test('over 64 KiB is not kept', async () => {
    for (const [size, isKept] of [
      [65_536, true],
      [65_537, false],
    ] as const) {
      writeFileSync(at('large.bin'), '')
      truncateSync(at('large.bin'), size)
      assert.equal(isSameMemory(await read('large.bin'), await read('large.bin')), isKept, String(size))
    }
  })

  test('makes room for others: no more than 16 MiB are kept', async () => {
    const names = Array.from({ length: 16 * 16 + 1 }, (_, n) => `many-${n}`)
    for (const name of names) {
      writeFileSync(at(name), '')
      truncateSync(at(name), 65_536)
    }
    const first = await read(names[0]!)
    for (const name of names) await read(name)
    assert.ok(!isSameMemory(first, await read(names[0]!)), 'the one that was used longest ago is gone')
    const last = await read(names.at(-1)!)
    assert.ok(isSameMemory(last, await read(names.at(-1)!)))
  })
})
