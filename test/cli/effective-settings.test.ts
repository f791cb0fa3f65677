import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { effectiveSettings, settingsTable } from '../../src/cli/effective-settings.ts'
import { resolveSettings } from '../../src/server/settings-sources.ts'

const { values: settings, sources } = resolveSettings({
  command: 'serve',
  flags: { port: '80', forwardedFields: 'forwarded,x-forwarded-for,x-forwarded-proto,x-forwarded-host' },
  environment: { WEB_CONCURRENCY: '3', MILLRACE_TLS_KEY_PASSWORD: 'hush' },
  configFile: { name: 'millrace.config.ts', values: { graceTimeout: '7s' } },
  app: { keepAliveTimeout: 90_000 },
})
const effective = effectiveSettings({ settings, sources }, 'serve', { WEB_CONCURRENCY: '3' })
const of = (name: string) => effective.find(setting => setting.name === name)

describe('effective settings', () => {
  test('each has its value as it would be typed, and says where that comes from', () => {
    assert.deepEqual(of('port'), { name: 'port', value: '80', from: '--port' })
    assert.deepEqual(of('workers'), { name: 'workers', value: '3', from: 'WEB_CONCURRENCY' })
    assert.deepEqual(of('graceTimeout'), { name: 'graceTimeout', value: '7s', from: 'millrace.config.ts' })
    assert.deepEqual(of('keepAliveTimeout'), { name: 'keepAliveTimeout', value: '90s', from: 'new App({ server })' })
    assert.deepEqual(of('host'), { name: 'host', value: '0.0.0.0', from: 'default' })
    assert.equal(of('reloadDir'), undefined)
  })

  test('a secret is not shown, and a variable that this process was not given is from the file', () => {
    const from = 'MILLRACE_TLS_KEY_PASSWORD in .env'
    assert.deepEqual(of('tlsKeyPassword'), { name: 'tlsKeyPassword', value: '***', from })
    const unset = resolveSettings({ command: 'dev', flags: {}, environment: {}, configFile: undefined, app: {} })
    const [password] = effectiveSettings({ settings: unset.values, sources: unset.sources }, 'dev').filter(
      ({ name }) => name === 'tlsKeyPassword',
    )
    assert.equal(password?.value, '')
  })

  test('the table has what somebody asked for first, in 80 columns, a long value below its name', () => {
    const lines = settingsTable(effective, 80).trimEnd().split('\n')
    assert.match(lines[0]!, /^port +80 +--port$/)
    const long = lines.findIndex(line => line.startsWith('forwardedFields'))
    assert.equal(lines[long + 1], '  forwarded,x-forwarded-for,x-forwarded-proto,x-forwarded-host')
    assert.match(lines[long + 2]!, /^ +--forwarded-fields$/)
    assert.deepEqual(
      lines.filter(line => line.length > 80),
      [],
    )
    const firstDefault = lines.findIndex(line => line.endsWith(' default'))
    assert.ok(lines.slice(firstDefault).every(line => line.startsWith('  ') || line.endsWith(' default')))
    assert.equal(lines.filter(line => !line.startsWith('  ')).length, effective.length)
  })
})
