import assert from 'node:assert/strict'
import { test } from 'node:test'
import { App } from 'millrace'
import * as z from 'zod'
import { MillraceError } from '../../src/core/error.ts'
import { createLogger } from '../../src/observe/logger.ts'
import { readableStack } from '../../src/observe/stack.ts'

const SRC = new URL('../../src/', import.meta.url).href

/** What a log for people says of one request. */
async function logged(app: (log: ReturnType<typeof createLogger>) => App, path: string): Promise<string> {
  let text = ''
  const log = createLogger({ format: 'lines', write: line => (text += line) })
  assert.equal((await app(log).fetch(new Request(`http://a${path}`))).status, 500)
  return text
}

const framesOf = (text: string) => text.split('\n').filter(line => /^ +at /.test(line))

test('an error of a handler shows the handler, and how many frames are not the application’s', async () => {
  const text = await logged(log => {
    const app = new App({ log })
    app.get('/', function broken() {
      return (undefined as unknown as { a: number }).a
    })
    return app
  }, '/')
  assert.match(text, /TypeError: Cannot read properties of undefined/)
  const frames = framesOf(text)
  assert.ok(frames.length > 0)
  for (const frame of frames) assert.match(frame, /observe\/stack\.test\.ts:\d+/)
  assert.match(text, /\(and \d+ frames inside millrace, packages and Node\)/)
})

test('an answer that does not fit its schema shows a few of our frames, as it has no others', async () => {
  const text = await logged(log => {
    const app = new App({ log })
    app.get('/', { returns: z.object({ n: z.int() }) }, () => ({ n: 'x' }) as never)
    return app
  }, '/')
  assert.match(text, /SCHEMA_BAD_RESPONSE/)
  const frames = framesOf(text)
  assert.ok(frames.length >= 1 && frames.length <= 3, text)
})

test('frames that are the only ones stay', () => {
  const ours = Array.from({ length: 5 }, (_, n) => `    at f (${SRC}app/handle.ts:${n}:1)`).join('\n')
  const fault = Object.assign(new Error('a fault'), { stack: `Error: a fault\n${ours}` })
  assert.equal(readableStack(fault), fault.stack)
  const told = Object.assign(new MillraceError('A_B', 'told'), { stack: `MillraceError: told\n${ours}` })
  assert.equal(readableStack(told).match(/^ +at /gm)?.length, 3)
  const bare = Object.assign(new Error('x'), { stack: undefined })
  assert.equal(readableStack(bare), 'x')
})

test('a message of several lines stays whole', () => {
  const stack = `Error: one\n  two\n    at mine (file:///app/a.ts:1:1)\n    at f (${SRC}app/handle.ts:1:1)`
  assert.equal(
    readableStack(Object.assign(new Error(), { stack })),
    'Error: one\n  two\n    at mine (file:///app/a.ts:1:1)\n    (and 1 frame inside millrace, packages and Node)',
  )
})
