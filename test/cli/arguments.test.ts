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

  test("Uvicorn's and Gunicorn's names of a setting are taken, a bare number in their unit", () => {
    assert.deepEqual(serve('app.ts', '-w', '4', '-b', '127.0.0.1:80', '--timeout-keep-alive', '65').flags, {
      workers: '4',
      host: '127.0.0.1',
      port: '80',
      keepAliveTimeout: '65s',
    })
    assert.deepEqual(serve('app.ts', '--graceful-timeout=2m', '--limit-request-fields', '50').flags, {
      graceTimeout: '2m',
      maxFields: '50',
    })
    assert.throws(
      () => serve('app.ts', '--graceful-timeout', 'soon'),
      refused('SETTINGS_BAD_VALUE', /^--graceful-timeout is "soon"; expected a duration/),
    )
    assert.throws(() => serve('app.ts', '--keep-alive'), refused('CLI_NO_VALUE', /^--keep-alive needs a value/))
  })

  test('--bind names every kind of address', () => {
    const bound = (address: string) => serve('app.ts', '--bind', address).flags
    assert.deepEqual(bound('0.0.0.0:8080'), { host: '0.0.0.0', port: '8080' })
    assert.deepEqual(bound('[::1]:8080'), { host: '::1', port: '8080' })
    assert.deepEqual(bound('[::]'), { host: '::' })
    assert.deepEqual(bound(':8080'), { port: '8080' })
    assert.deepEqual(bound('localhost'), { host: 'localhost' })
    assert.deepEqual(bound('unix:/run/app.sock'), { uds: '/run/app.sock' })
    assert.deepEqual(bound('unix:///run/app.sock'), { uds: '/run/app.sock' })
    assert.deepEqual(bound('fd://3'), { fd: '3' })
    assert.throws(() => bound('a:99999'), refused('SETTINGS_BAD_VALUE', /--bind is "99999"; expected a whole number/))
  })

  test('an option of another server that is none here is refused with what to do instead', () => {
    assert.throws(
      () => serve('app.ts', '-k', 'uvicorn.workers.UvicornWorker'),
      refused('CLI_UNKNOWN_FLAG', /^-k is an option of Gunicorn, and none here: there is one engine/),
    )
    assert.throws(
      () => serve('app.ts', '--reload'),
      refused('CLI_UNKNOWN_FLAG', /^--reload is an option of FastAPI and Uvicorn and Gunicorn, .*millrace dev/),
    )
    assert.throws(() => readArguments(['app.ts', '-w', '2'], 'dev', 'dev'), refused('CLI_UNKNOWN_FLAG', /no option -w/))
    assert.throws(() => readArguments(['app.ts', '-w', '2'], 'routes'), refused('CLI_UNKNOWN_FLAG', /no option -w/))
  })

  test('the last of one flag wins; two names of one setting that differ, and two addresses, are refused', () => {
    assert.deepEqual(serve('app.ts', '--port', '80', '--port', '81').flags, { port: '81' })
    assert.deepEqual(serve('app.ts', '--grace-timeout', '7s', '--graceful-timeout', '7').flags, { graceTimeout: '7s' })
    assert.throws(
      () => serve('app.ts', '--grace-timeout', '5s', '--graceful-timeout', '7'),
      refused(
        'SETTINGS_BAD_VALUE',
        /--grace-timeout and --graceful-timeout are the same setting, graceTimeout, and say 5s and 7s/,
      ),
    )
    assert.throws(
      () => serve('app.ts', '-b', ':80', '-b', ':81'),
      refused('SETTINGS_BAD_VALUE', /--bind is given twice, and one address is served/),
    )
    assert.throws(
      () => serve('app.ts', '--uds', '/run/a', '--port', '80'),
      refused('SETTINGS_BAD_VALUE', /--port and --uds name two addresses, and one is served/),
    )
    assert.throws(
      () => serve('app.ts', '-b', ':80', '-b', 'unix:/run/a'),
      refused('SETTINGS_BAD_VALUE', /name two addresses/),
    )
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
