import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EventReader, readEvents, readJsonLines } from '../../src/core/event-reader.ts'

/** As one piece, char by char, and in threes: how a stream is cut must not matter. */
function read(text: string): unknown[] {
  const whole = new EventReader().read(text)
  for (const size of [1, 3]) {
    const reader = new EventReader()
    const pieces: unknown[] = []
    for (let at = 0; at < text.length; at += size) pieces.push(...reader.read(text.slice(at, at + size)))
    assert.deepEqual(pieces, whole, `in pieces of ${size}`)
  }
  return [...whole]
}

function bodyOf(...pieces: string[]): ReadableStream<Uint8Array> {
  const bytes = pieces.map(piece => Buffer.from(piece, 'latin1'))
  return new ReadableStream({ pull: to => (bytes.length > 0 ? to.enqueue(bytes.shift()!) : to.close()) })
}

describe('an event stream', () => {
  test('gives data, name, id and retry', () => {
    assert.deepEqual(read('event: tick\ndata: 1\nid: 7\nretry: 500\n\ndata: 2\n\n'), [
      { data: '1', event: 'tick', id: '7', retry: 500 },
      { data: '2', id: '7' },
    ])
  })

  test('joins lines of data, ends lines at CR, LF and both, and takes one space off', () => {
    assert.deepEqual(read('data: a\rdata:b\r\ndata:  c\n\r\n'), [{ data: 'a\nb\n c' }])
    assert.deepEqual(read('data\n\ndata:\ndata\n\n'), [{ data: '' }, { data: '\n' }])
  })

  test('leaves out comments, unknown fields, and what has no data', () => {
    assert.deepEqual(read(': ping\n\nfoo: bar\ndata: x\n\nevent: a\n\ndata: y\n\n'), [{ data: 'x' }, { data: 'y' }])
  })

  test('takes no id with NUL and no retry that is no number', () => {
    assert.deepEqual(read('id: a\0b\nretry: 1s\ndata: x\n\n'), [{ data: 'x' }])
  })

  test('begins behind a byte order mark, and drops what its end cuts', () => {
    assert.deepEqual(read('\u{feff}data: x\n\ndata: cut'), [{ data: 'x' }])
  })

  test('is read from bytes that cut its characters', async () => {
    const found = []
    for await (const event of readEvents(bodyOf('data: \xc3', '\xa9\n', '\n'))) found.push(event)
    assert.deepEqual(found, [{ data: 'é' }])
  })
})

describe('JSON lines', () => {
  test('are read one by one, however they are cut, the last with or without its end', async () => {
    for (const end of ['', '\n']) {
      const found = []
      for await (const item of readJsonLines(bodyOf('{"n"', ':1}\n\r\n"\xc3', `\xa9"\n2${end}`))) found.push(item)
      assert.deepEqual(found, [{ n: 1 }, 'é', 2])
    }
  })

  test('of which one is no JSON throw there', async () => {
    const lines = readJsonLines(bodyOf('1\n{\n'))
    assert.deepEqual(await lines.next(), { value: 1, done: false })
    await assert.rejects(lines.next(), SyntaxError)
  })

  test('are let go of when the loop is left', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const body = new ReadableStream<Uint8Array>({ pull: to => to.enqueue(Buffer.from('1\n')), cancel: () => resolve() })
    for await (const item of readJsonLines(body)) if (item === 1) break
    await promise
  })
})
