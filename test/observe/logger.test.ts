import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createLogger, type LoggerOptions } from '../../src/observe/logger.ts'

function written(of: LoggerOptions = {}) {
  const lines: string[] = []
  return { lines, log: createLogger({ format: 'lines', ...of, write: text => lines.push(text) }) }
}

describe('a log for people', () => {
  test('says time, level, words and fields in one line', () => {
    const { lines, log } = written()
    log.info({ port: 8000, host: 'a' }, 'ready')
    log.warn('plain')
    assert.match(lines[0]!, /^\d\d:\d\d:\d\d info {2}ready port=8000 host=a\n$/)
    assert.match(lines[1]!, /^\d\d:\d\d:\d\d warn {2}plain\n$/)
  })

  test('says nothing below its level, and nothing at all when silent', () => {
    const { lines, log } = written({ level: 'warn' })
    log.debug('a')
    log.info('b')
    log.error('c')
    assert.equal(lines.length, 1)
    const none = written({ level: 'silent' })
    none.log.error('a')
    assert.deepEqual(none.lines, [])
  })

  test('shows an error with its code, stack and causes, indented', () => {
    const { lines, log } = written()
    const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
    log.error({ err: new Error('no database', { cause }) }, 'request failed')
    assert.match(lines[0]!, /^\S+ error request failed\n {2}Error: no database\n {6}at /)
    assert.match(lines[0]!, /\n {2}caused by: ECONNREFUSED Error: refused\n/)
  })

  test('shows what several attempts failed with', () => {
    const { lines, log } = written()
    log.error({ err: new AggregateError([new Error('by IPv6'), new Error('by IPv4')]) }, 'x')
    assert.match(lines[0]!, /by IPv6[^]*by IPv4/)
  })

  test('never throws, whatever it is given', () => {
    const { lines, log } = written()
    const circle: Record<string, unknown> = {}
    circle['self'] = circle
    const causes = new Error('round')
    causes.cause = causes
    const throws = {
      toJSON() {
        throw new Error('x')
      },
    }
    for (const odd of [
      circle,
      { n: 1n },
      { err: circle },
      { err: causes },
      { err: throws },
      undefined,
      null,
      1n,
      Symbol('s'),
    ])
      log.error(odd, 'odd')
    assert.equal(lines.length, 9)
    for (const line of lines) assert.match(line, /odd/)
  })

  test('lets no value begin a line or speak to the terminal', () => {
    const { lines, log } = written()
    log.info({ path: 'a\n12:00:00 error forged' }, 'asked\u001b[2J for')
    log.error({ err: new Error('bad \u001b]0;title\u0007 input') }, 'x')
    assert.equal(lines[0]!.split('\n').length, 2)
    for (const line of lines) assert.doesNotMatch(line, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/)
  })
})

describe('a log for machines', () => {
  test('is one JSON object a line, with an ISO time and the error taken apart', () => {
    const { lines, log } = written({ format: 'json' })
    log.error({ err: new Error('why'), route: '/a' }, 'request failed')
    const record = JSON.parse(lines[0]!) as { time: string; msg: string; route: string; err: { message: string } }
    assert.equal(record.msg, 'request failed')
    assert.equal(record.route, '/a')
    assert.equal(record.err.message, 'why')
    assert.equal(new Date(record.time).toISOString(), record.time)
  })
})
