import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { SettingsError } from '../../src/server/errors.ts'
import { settingsHelp, settingsPage, settingsText } from '../../src/server/settings-reference.ts'
import {
  readSetting,
  resolveSettings,
  settingsFromCode,
  type SettingSources,
  strangeVariables,
} from '../../src/server/settings-sources.ts'
import { flagOf, type SettingName, SETTINGS, variablesOf } from '../../src/server/settings.ts'

function resolve(sources: Partial<SettingSources>) {
  return resolveSettings({ command: 'serve', flags: {}, environment: {}, configFile: undefined, app: {}, ...sources })
}

describe('settings', () => {
  test('a flag beats the environment, that beats the config file, that beats the app, that beats the default', () => {
    const all = {
      flags: { port: '1001' },
      environment: { PORT: '1002' },
      configFile: { name: 'millrace.config.ts', values: { port: 1003 } },
      app: { port: 1004 },
    }
    assert.equal(resolve(all).values.port, 1001)
    assert.equal(resolve({ ...all, flags: {} }).values.port, 1002)
    assert.equal(resolve({ ...all, flags: {}, environment: {} }).values.port, 1003)
    assert.equal(resolve({ app: all.app }).values.port, 1004)
    assert.equal(resolve({}).values.port, 8000)
  })

  test('what a platform sets is read, the name of Millrace first', () => {
    const environment = { PORT: '1', HOST: '::1', WEB_CONCURRENCY: '3' }
    const { values, sources } = resolve({ environment })
    assert.deepEqual([values.port, values.host, values.workers], [1, '::1', 3])
    assert.deepEqual(Object.fromEntries(sources), { host: 'HOST', port: 'PORT', workers: 'WEB_CONCURRENCY' })
    assert.equal(resolve({ environment: { ...environment, MILLRACE_PORT: '2' } }).values.port, 2)
    assert.deepEqual(variablesOf('keepAliveTimeout'), ['MILLRACE_KEEP_ALIVE_TIMEOUT'])
  })

  test('an empty variable counts as unset', () => {
    assert.equal(resolve({ environment: { PORT: '' } }).values.port, 8000)
  })

  test('serve listens everywhere, dev on this machine only', () => {
    assert.equal(resolve({ command: 'serve' }).values.host, '0.0.0.0')
    assert.equal(resolve({ command: 'dev' }).values.host, '127.0.0.1')
  })

  test('a variable spelt like a setting that is none is told, with the one that was meant', () => {
    const given = {
      MILLRACE_PROT: '1',
      MILLRACE_CHROMIUM: '/x',
      MILLRACE_PORT: '2',
      MILLRACE_GRACE_TIMEOUT: '3s',
      PROT: '4',
    }
    assert.deepEqual(strangeVariables(given), [
      'the environment variable MILLRACE_PROT is no setting; did you mean MILLRACE_PORT?',
      'the environment variable MILLRACE_CHROMIUM is no setting',
    ])
  })

  test('dev has one worker whatever the environment says', () => {
    assert.equal(resolve({ command: 'dev', environment: { WEB_CONCURRENCY: '4' } }).values.workers, 1)
  })

  test('a bad value is refused by its source, what was found, and what was expected', () => {
    const cases: [Partial<SettingSources>, RegExp][] = [
      [{ flags: { port: '99999' } }, /^--port is "99999"; expected a whole number from 0 to 65535$/],
      [{ environment: { PORT: 'http' } }, /^the environment variable PORT is "http"; expected/],
      [{ configFile: { name: 'millrace.config.js', values: { port: -1 } } }, /^port in millrace\.config\.js is -1;/],
      [{ app: { graceTimeout: 'soon' } }, /^graceTimeout in new App\(\{ server \}\) is "soon"; expected a duration/],
      [{ flags: { workers: '0' } }, /^--workers is "0"; expected a whole number from 1 to 1024, or 'auto'$/],
      [{ flags: { logLevel: 'loud' } }, /^--log-level is "loud"; expected one of error, warn, info, debug$/],
    ]
    for (const [sources, message] of cases)
      assert.throws(
        () => resolve(sources),
        (error: unknown) => {
          assert.ok(error instanceof SettingsError)
          assert.equal(error.code, 'SETTINGS_BAD_VALUE')
          assert.equal(error.exitCode, 2)
          assert.match(error.message, message)
          return true
        },
      )
  })

  test('a name that is no setting is refused with the one that was probably meant', () => {
    assert.throws(() => resolve({ app: { prot: 1 } }), /new App\(\{ server \}\) holds prot, .* did you mean port\?/)
    assert.throws(
      () => resolve({ configFile: { name: 'millrace.config.ts', values: { constructor: 1 } } }),
      /holds constructor/,
    )
    assert.throws(() => settingsFromCode({ keepAlive: 1 }, {}), /serve\(app, options\) holds keepAlive/)
  })

  test('a name of another server in the config file is refused with the setting that it is here', () => {
    const configFile = (values: Record<string, unknown>) => ({ configFile: { name: 'millrace.config.ts', values } })
    assert.throws(() => resolve(configFile({ graceful_timeout: 30 })), {
      code: 'SETTINGS_UNKNOWN',
      message: /holds graceful_timeout, .*; of Gunicorn, and here: `--grace-timeout VALUE`/,
    })
    assert.throws(() => resolve(configFile({ workerClass: 'x' })), {
      message: /of Gunicorn, and here: there is one engine/,
    })
  })

  test('where settings are read from cannot be said where they are read from', () => {
    assert.throws(() => resolve({ app: { config: 'other.ts' } }), {
      code: 'SETTINGS_UNKNOWN',
      message: /new App\(\{ server \}\) holds config, .*: --config and MILLRACE_CONFIG can say that/,
    })
  })

  test('a header that nobody may send is a contradiction', () => {
    assert.throws(() => resolve({ flags: { proxyProtocol: 'on' } }), /proxyProtocol is on, but trustedProxies is none/)
    assert.equal(resolve({ flags: { proxyProtocol: 'on', trustedProxies: 'loopback' } }).values.proxyProtocol, true)
  })

  test('durations, sizes and addresses are read as people write them', () => {
    const read = readSetting
    assert.deepEqual(
      ['1500', '1500ms', '1.5s', 1500].map(found => read('graceTimeout', found, '')),
      [1500, 1500, 1500, 1500],
    )
    assert.deepEqual(
      ['2048', '2KiB', '2 kib', 2048].map(found => read('maxBody', found, '')),
      [2048, 2048, 2048, 2048],
    )
    assert.equal(read('workers', 'auto', ''), availableParallelism())
    assert.equal(read('admin', 'off', ''), null)
    assert.deepEqual(read('admin', '9100', ''), { host: '127.0.0.1', port: 9100 })
    assert.deepEqual(read('admin', '0.0.0.0:9100', ''), { host: '0.0.0.0', port: 9100 })
    assert.deepEqual(read('admin', '[::1]:9100', ''), { host: '::1', port: 9100 })
    assert.deepEqual(read('reloadDir', 'src, lib', ''), ['src', 'lib'])
    assert.deepEqual(read('trustedProxies', '10.0.0.0/8, ::1,unix', ''), ['10.0.0.0/8', '::1', 'unix'])
    assert.deepEqual(read('trustedProxies', 'none', ''), [])
    assert.deepEqual(read('forwardedFields', ['forwarded'], ''), ['forwarded'])
    assert.deepEqual(
      ['auto', '5', 5].map(found => read('maxConnections', found, '')),
      ['auto', 5, 5],
    )
    assert.deepEqual(
      ['off', false, '5'].map(found => read('maxConnectionsPerAddress', found, '')),
      [null, null, 5],
    )
    assert.deepEqual(
      ['on', true, 'off', false].map(found => read('proxyProtocol', found, '')),
      [true, true, false, false],
    )
    for (const bad of ['0', 'off', '-1']) assert.throws(() => read('maxConnections', bad, ''), bad)
    for (const bad of ['10.0.0.0/33', 'localhost', '*', '']) assert.throws(() => read('trustedProxies', bad, ''), bad)
    for (const bad of ['x-real-ip', 'Forwarded', '']) assert.throws(() => read('forwardedFields', bad, ''), bad)
    for (const bad of ['[x]:1', 'a:b:1', ':1', '1:', 'host:99999', '']) assert.throws(() => read('admin', bad, ''), bad)
    for (const bad of ['1e3', '0x10', ' 80', '-1', '8.5', '']) assert.throws(() => read('port', bad, ''), bad)
  })

  test('what a type shows, it reads back as the same value', () => {
    const readsBack = (name: SettingName, value: unknown) => {
      const { type } = SETTINGS[name] as { type: { show(value: unknown): string; read(found: unknown): unknown } }
      assert.deepEqual(type.read(type.show(value)), value)
    }
    fc.assert(
      fc.property(fc.nat({ max: 1e9 }), number => {
        readsBack('graceTimeout', number)
        readsBack('maxBody', number)
        readsBack('port', number % 65536)
        readsBack('trustedProxies', number % 2 ? [] : ['loopback', `10.0.0.0/${number % 33}`])
        readsBack('admin', { host: '::1', port: number % 65536 })
      }),
    )
  })

  test('nothing read from text is ever a NaN, an infinity or negative', () => {
    fc.assert(
      fc.property(fc.string(), text => {
        for (const name of ['port', 'graceTimeout', 'maxBody', 'workers'] as const) {
          const found = SETTINGS[name].type.read(text)
          assert.ok(found === undefined || (Number.isFinite(found) && found >= 0))
        }
      }),
    )
  })
})

describe('the reference of settings', () => {
  test('millrace settings lists each setting for people, within 80 columns', () => {
    const text = settingsText()
    for (const name of Object.keys(SETTINGS) as SettingName[])
      for (const word of [`--${flagOf(name)} `, ...variablesOf(name)]) assert.ok(text.includes(word), word)
    assert.match(text, /default 0\.0\.0\.0;\s+dev:\s+127\.0\.0\.1/)
    assert.doesNotMatch(text, /[|`]\S+[|`] |src\//)
    for (const line of text.split('\n')) assert.ok(line.length <= 80, line)
  })

  test('docs/reference/settings.md is what the table prints', async () => {
    const page = await readFile(join(import.meta.dirname, '../../docs/reference/settings.md'), 'utf8')
    assert.equal(
      page,
      settingsPage(),
      'print it again: npm run --silent millrace -- settings --markdown > docs/reference/settings.md',
    )
  })

  test('help fits 80 columns and names every setting that is not rare', () => {
    for (const command of ['serve', 'dev'] as const)
      for (const line of settingsHelp(command).split('\n')) assert.ok(line.length <= 80, line)
    assert.match(settingsHelp('serve'), /--keep-alive-timeout TIME/)
    assert.doesNotMatch(settingsHelp('serve'), /--reload-dir|--requests-per-turn/)
    assert.match(settingsHelp('dev'), /--reload-dir DIR/)
  })
})
