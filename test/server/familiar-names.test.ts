import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FAMILIAR_NAMES, SHORT_FLAGS } from '../../src/server/familiar-names.ts'
import { readSetting } from '../../src/server/settings-sources.ts'
import { flagOf, SETTING_NAMES, type SettingName } from '../../src/server/settings.ts'

const ours = new Set(SETTING_NAMES.map(flagOf))

/** One that each may be typed with there. */
const TYPED: Readonly<Record<string, string>> = {
  bind: '127.0.0.1:8000',
  'ssl-cert-reqs': '2',
  'cert-reqs': '1',
  'forwarded-allow-ips': '*',
  'proxy-allow-ips': '10.0.0.0/8,127.0.0.1',
}

describe('names of other servers', () => {
  test('none is a name of ours as well, which would have two meanings', () => {
    for (const name of Object.keys(FAMILIAR_NAMES)) assert.ok(!ours.has(name), name)
  })

  test('each letter stands for a flag that there is, and no two for one', () => {
    for (const name of Object.values(SHORT_FLAGS))
      assert.ok(ours.has(name) || Object.hasOwn(FAMILIAR_NAMES, name), name)
    assert.equal(new Set(Object.values(SHORT_FLAGS)).size, Object.keys(SHORT_FLAGS).length)
  })

  test('what each gives is a value of its setting, and the page names that setting', () => {
    for (const [name, familiar] of Object.entries(FAMILIAR_NAMES)) {
      if ('instead' in familiar) continue
      const given = Object.entries(familiar.read(TYPED[name] ?? '5')) as [SettingName, string][]
      assert.ok(given.length > 0, name)
      for (const [setting, text] of given) {
        readSetting(setting, text, name)
        assert.match(familiar.here, new RegExp(`--${flagOf(setting)}\\b`), name)
      }
    }
  })

  test('options named in what is said instead are there', () => {
    for (const [name, familiar] of Object.entries(FAMILIAR_NAMES)) {
      const said = 'instead' in familiar ? familiar.instead : familiar.here
      for (const [, flag] of said.matchAll(/`--([a-z0-9-]+)/g)) assert.ok(ours.has(flag!), `${name}: --${flag}`)
    }
  })
})
