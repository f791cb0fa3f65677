import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { prepareHead } from '../../src/http/prepared-head.ts'
import { ReadyAnswer } from '../../src/http/ready-answer.ts'

const head = prepareHead(200, ['content-type', 'text/plain'])

describe('an answer that is ready', () => {
  test('is the text that the wire wants', () => {
    const ready = new ReadyAnswer(head, 'lamp')
    const { text } = ready
    assert.match(
      text!,
      /^HTTP\/1\.1 200 OK\r\nContent-Type: text\/plain\r\nDate: [^\r]+ GMT\r\nContent-Length: 4\r\n\r\nlamp$/i,
    )
    assert.equal(ready.length, 4)
    assert.equal(ready.text, text)
  })

  test('holds nothing once it is released', () => {
    const ready = new ReadyAnswer(head, 'lamp')
    assert.ok(ready.text)
    ready.release()
    assert.deepEqual([ready.text, ready.body, ready.head.fields], [undefined, null, []])
  })

  test('has none where it is not the same for each, or no gain', () => {
    for (const body of [null, 'lämp', 'x'.repeat(1025), Buffer.from('lamp')])
      assert.equal(new ReadyAnswer(head, body).text, undefined)
    assert.equal(new ReadyAnswer(prepareHead(304, []), '').text, undefined)
    const dated = prepareHead(200, ['date', 'Thu, 01 Jan 1970 00:00:00 GMT'])
    assert.equal(new ReadyAnswer(dated, 'lamp').text, undefined)
  })
})
