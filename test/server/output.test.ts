import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { guardOutput } from '../../src/server/output.ts'

/** A stream whose reader takes what comes when it is told to. */
function slowReader() {
  const taken: string[] = []
  const waiting: (() => void)[] = []
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      waiting.push(() => {
        taken.push(chunk)
        done()
      })
    },
  })
  const takeAll = async () => {
    while (waiting.length > 0) {
      waiting.shift()!()
      await new Promise(setImmediate)
    }
  }
  guardOutput(stream)
  return { stream, taken, takeAll }
}

test('what a reader does not take is kept to 1 MiB; the rest is counted, and told when it reads again', async () => {
  const { stream, taken, takeAll } = slowReader()
  const line = `${'x'.repeat(99_999)}\n`
  for (let n = 0; n < 30; n++) stream.write(line)
  assert.ok(stream.writableLength < 1_200_000, `${stream.writableLength} bytes wait`)
  await takeAll()
  const kept = taken.length
  stream.write('again\n')
  await takeAll()
  assert.deepEqual(taken.slice(kept), [`(${30 - kept} lines before this could not be printed)\n`, 'again\n'])
})

test('an error of the stream is no error of who prints, and callbacks are called whatever happens', async () => {
  const stream = new Writable({
    autoDestroy: false,
    write: (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
  })
  guardOutput(stream)
  guardOutput(stream)
  await new Promise<void>(resolve => void stream.write('lost', () => resolve()))
  const throws = new Writable({
    write() {
      throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
    },
  })
  guardOutput(throws)
  await new Promise<void>(resolve => void throws.write('lost', 'utf8', () => resolve()))
})
