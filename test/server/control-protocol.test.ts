import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  answerLine,
  type ControlError,
  LineReader,
  readAnswer,
  readRequest,
} from '../../src/server/control-protocol.ts'

describe('a line that asks', () => {
  for (const request of [
    { command: 'status' },
    { command: 'reload' },
    { command: 'scale', to: 3 },
    { command: 'scale', by: -1 },
    { command: 'drain', worker: 2 },
    { command: 'heap-snapshot', worker: 2, file: '/tmp/one.heapsnapshot' },
    { command: 'purge', tags: ['product:7', 'products'] },
    { command: 'cpu-profile', worker: 2, file: '/tmp/one.cpuprofile', seconds: 10 },
    { command: 'stop', quick: true },
  ])
    test(`is read as it was meant: ${JSON.stringify(request)}`, () => {
      assert.deepEqual(readRequest(JSON.stringify(request)), request)
    })

  const bad: readonly (readonly [what: string, line: string, message: RegExp])[] = [
    ['nothing', '', /a line that is not JSON/],
    ['a request of HTTP', 'GET / HTTP/1.1', /a line that is not JSON/],
    ['a list', '[]', /no JSON object/],
    ['null', 'null', /no JSON object/],
    ['no command', '{}', /the command undefined; there are status, reload,/],
    ['a member of every object', '{"command":"constructor"}', /the command "constructor"/],
    ['a command that is a number', '{"command":7}', /the command 7/],
    ['scale without a number', '{"command":"scale"}', /without one of `to` and `by`/],
    ['scale with both', '{"command":"scale","to":1,"by":1}', /without one of `to` and `by`/],
    ['scale to none', '{"command":"scale","to":0}', /`to` as 0; it is a whole number from 1 to 1024/],
    ['half a worker', '{"command":"drain","worker":1.5}', /`worker` as 1\.5/],
    ['a worker by name', '{"command":"drain","worker":"1"}', /`worker` as "1"/],
    ['a relative file', '{"command":"heap-snapshot","worker":1,"file":"x"}', /`file` as "x"; it is an absolute path/],
    ['a file with NUL', '{"command":"heap-snapshot","worker":1,"file":"/x\\u0000"}', /it is an absolute path/],
    ['no tags', '{"command":"purge","tags":[]}', /1 to 100/],
    ['a tag that is no text', '{"command":"purge","tags":[7]}', /1 to 100/],
    ['a profile of an hour', '{"command":"cpu-profile","worker":1,"file":"/x","seconds":3600}', /from 1 to 300/],
    ['stop with a word', '{"command":"stop","quick":"yes"}', /`quick` that is neither/],
  ]
  for (const [what, line, message] of bad)
    test(`is refused with what is wrong: ${what}`, () => {
      assert.throws(
        () => readRequest(line),
        (error: ControlError) => error.code === 'CONTROL_BAD_REQUEST' && message.test(error.message),
      )
    })
})

describe('lines', () => {
  const text = '{"command":"status"}\n\n{"command":"reload"}\nrest'

  test('are the same whole, byte by byte, and with what follows', () => {
    const whole = new LineReader(100).push(Buffer.from(text))
    const reader = new LineReader(100)
    const dripped = [...Buffer.from(text)].flatMap(byte => reader.push(Buffer.of(byte)))
    assert.deepEqual(whole, ['{"command":"status"}', '', '{"command":"reload"}'])
    assert.deepEqual(dripped, whole)
  })

  test('that are too long are refused, with an end and without one', () => {
    assert.throws(() => new LineReader(10).push(Buffer.from('0123456789a')), /a line of more than 10 bytes/)
    assert.throws(() => new LineReader(10).push(Buffer.from('0123456789a\n')), /a line of more than 10 bytes/)
    assert.deepEqual(new LineReader(10).push(Buffer.from('0123456789\n')), ['0123456789'])
  })
})

test('an answer is one line, whatever it holds, and is read again', () => {
  const answer = { ok: false, error: { code: 'CONTROL_FILE', message: 'two\nlines' } } as const
  const line = answerLine(answer)
  assert.equal(line.indexOf('\n'), line.length - 1)
  assert.deepEqual(readAnswer(line), answer)
  for (const strange of ['', '{}', '{"ok":false}', 'HTTP/1.1 400 Bad Request'])
    assert.throws(() => readAnswer(strange), { code: 'CONTROL_BAD_ANSWER' })
})
