import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readArguments } from '../../src/cli/arguments.ts'
import { SettingsError } from '../../src/server/errors.ts'

const serve = (...argv: string[]) => readArguments(argv, 'serve', 'serve')

function refused(code: string, message: RegExp): (error: unknown) => boolean {
  return error => {
    assert.ok(error instanceof SettingsError)
    assert.equal(error.code, code)
    assert.match(error.message, message)
    return true
  }
}

describe('arguments', () => {
  test('flags may stand before and after the app, with a space or an equals sign', () => {
    const expected = { app: 'app.ts', flags: { port: '80', graceTimeout: '5s' } }
    assert.deepEqual(serve('app.ts', '--port', '80', '--grace-timeout=5s'), expected)
    assert.deepEqual(serve('--port=80', '--grace-timeout', '5s', 'app.ts'), expected)
  })

  test('an unknown flag is refused by name with the one that was probably meant', () => {
    assert.throws(
      () => serve('app.ts', '--prot', '80'),
      refused('CLI_UNKNOWN_FLAG', /no option --prot; did you mean --port\?/),
    )
    assert.throws(() => serve('app.ts', '-p'), refused('CLI_UNKNOWN_FLAG', /no option -p; see millrace serve --help/))
    assert.throws(() => serve('app.ts', '--reload-dir', 'x'), refused('CLI_UNKNOWN_FLAG', /no option --reload-dir/))
    assert.throws(() => serve('app.ts', '--constructor'), refused('CLI_UNKNOWN_FLAG', /--constructor/))
  })

  test('a flag without its value is refused by what was expected', () => {
    assert.throws(() => serve('app.ts', '--port'), refused('CLI_NO_VALUE', /--port needs a value: a whole number/))
    assert.throws(() => serve('app.ts', '--port='), refused('CLI_NO_VALUE', /--port needs a value/))
    assert.throws(() => serve('app.ts', '--port', '--host', 'x'), refused('CLI_NO_VALUE', /--port needs a value/))
  })

  test('one app is needed, and no second', () => {
    assert.throws(() => serve('--port', '80'), refused('CLI_NO_APP', /millrace serve app\.ts/))
    assert.throws(() => serve('a.ts', 'b.ts'), refused('CLI_TOO_MANY', /b\.ts is a second operand/))
  })
})
