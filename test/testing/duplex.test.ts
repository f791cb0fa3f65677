import assert from 'node:assert/strict'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { duplexPair } from 'millrace/testing'

describe('two ends in memory', () => {
  test('what one writes the other reads, in both directions, in a later turn', async () => {
    const [one, two] = duplexPair()
    let isRead = false
    two.once('data', () => (isRead = true))
    one.write('to two')
    assert.equal(isRead, false)
    await once(two, 'data')
    two.write('to one')
    assert.equal(String((await once(one, 'data'))[0]), 'to one')
    one.destroy()
    two.destroy()
  })

  test('one can have said everything and still listen', async () => {
    const [one, two] = duplexPair()
    one.end('question')
    let asked = ''
    two.on('data', piece => (asked += String(piece)))
    await once(two, 'end')
    assert.equal(asked, 'question')
    two.end('answer')
    assert.equal(await text(one), 'answer')
  })

  test('a writer waits for a reader that does not read', async () => {
    const [one, two] = duplexPair()
    const piece = Buffer.alloc(64 * 1024)
    let written = 0
    const write = () => one.write(piece, () => written++)
    for (let n = 0; n < 10; n++) write()
    await new Promise(resolve => setImmediate(() => setImmediate(resolve)))
    assert.ok(written < 10, `${written} of 10 pieces gone before anybody read`)
    one.end()
    let read = 0
    two.on('data', (got: Buffer) => (read += got.length))
    await once(two, 'end')
    assert.equal(read, 10 * piece.length)
    two.destroy()
  })

  test('an end that breaks resets the other; one that closes ends it', async () => {
    const [one, two] = duplexPair()
    two.resume()
    one.on('error', () => {})
    one.destroy(new Error('pulled'))
    assert.equal(((await once(two, 'error')) as [NodeJS.ErrnoException])[0].code, 'ECONNRESET')
    const [left, right] = duplexPair()
    left.destroy()
    assert.equal(await text(right), '')
  })

  test('writing to an end that is gone fails, and does not wait', async () => {
    const [one, two] = duplexPair()
    two.destroy()
    const failed = once(one, 'error') as Promise<[NodeJS.ErrnoException]>
    one.write('x')
    assert.equal((await failed)[0].code, 'EPIPE')
  })

  test('a write that waited for a reader ends when that is destroyed', async () => {
    const [one, two] = duplexPair()
    const done = new Promise<void>(resolve => one.write(Buffer.alloc(1024 * 1024), () => resolve()))
    await new Promise(resolve => setImmediate(() => setImmediate(resolve)))
    two.destroy()
    await done
    one.destroy()
  })
})
