import { test } from 'node:test'
import assert from 'node:assert/strict'
import { FinishedAnswer, finishedCodec } from '../../src/app/finished-answer.ts'
import { prepareHead } from '../../src/http/prepared-head.ts'

const head = prepareHead(200, ['content-type', 'text/plain', 'x-name', 'Grüße', 'x-name', 'again'])

test('an answer comes back with its head and its body as they were', () => {
  for (const body of ['Grüße 🚀', '', null, Uint8Array.from([0, 255, 128])]) {
    const back = finishedCodec.decode(finishedCodec.encode(new FinishedAnswer(head, body, 0))!) as FinishedAnswer
    assert.deepEqual(back.body, body)
    assert.equal(back.head.text, head.text)
  }
})

test('bytes that are no answer, or a part of one, are refused', () => {
  const good = Buffer.from(finishedCodec.encode(new FinishedAnswer(head, 'hello', 0))!)
  for (let length = 0; length < good.length; length++)
    assert.throws(() => finishedCodec.decode(good.subarray(0, length)), `${length} bytes`)
  assert.throws(() => finishedCodec.decode(Buffer.concat([good, Buffer.from('x')])))
  // Of the same length, so that nothing else is wrong with it.
  const split = Buffer.from(Buffer.from(good).toString('latin1').replace('text/plain', 'a\\r\\nb: cd'), 'latin1')
  assert.throws(() => finishedCodec.decode(split), { code: 'HTTP_BAD_FIELD' })
})

test('bytes whose preface is of another shape are refused', () => {
  const of = (preface: unknown) => {
    const text = Buffer.from(JSON.stringify(preface))
    const header = Buffer.from([0x41, 0, 0, 0, text.length])
    return finishedCodec.decode(Buffer.concat([header, text, Buffer.from('x')])) as FinishedAnswer
  }
  const good = { status: 200, fields: ['a', 'b'], body: 'text', length: 1, madeAtMs: 1 }
  assert.equal(of(good).body, 'x')
  for (const change of [
    { fields: ['a'] },
    { fields: undefined },
    { fields: [1, 2] },
    { body: 'blob' },
    { madeAtMs: null },
    { status: '200' },
    { length: 2 },
  ])
    assert.throws(() => of({ ...good, ...change }), JSON.stringify(change))
  assert.throws(() => of(null))
})
