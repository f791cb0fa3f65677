// The settings of a server as it would start now: each with its value as it would be typed, and where that comes from.
import type { Generation } from '../server/generation.ts'
import { type Command, type Setting, SETTINGS, type SettingName, settingsOf } from '../server/settings.ts'

export interface EffectiveSetting {
  readonly name: SettingName
  /** As it would be typed; '' is unset. A secret is three asterisks. */
  readonly value: string
  /** '--port', 'PORT', 'PORT in .env', 'millrace.config.ts', 'new App({ server })' or 'default'. */
  readonly from: string
}

/** @param given  the variables of this process: others are from the file */
export function effectiveSettings(
  { settings, sources }: Pick<Generation, 'settings' | 'sources'>,
  command: Command,
  given: Readonly<Record<string, string | undefined>> = process.env,
): readonly EffectiveSetting[] {
  return settingsOf(command).map(name => {
    const setting: Setting<unknown> = SETTINGS[name]
    const shown = setting.type.show(settings[name])
    const source = sources.get(name) ?? 'default'
    const isFromFile = /^[A-Z][A-Z0-9_]*$/.test(source) && (given[source] ?? '') === ''
    return {
      name,
      value: setting.isSecret && shown !== '' ? '***' : shown,
      from: isFromFile ? `${source} in ${settings.dotenv || '.env'}` : source,
    }
  })
}

const VALUE_COLUMNS = 16

/** Those that somebody asked for come first: they are what one looks for. What does not fit its line goes on in the next. */
export function settingsTable(settings: readonly EffectiveSetting[], columns: number): string {
  const ordered = settings.toSorted((a, b) => Number(a.from === 'default') - Number(b.from === 'default'))
  const nameColumns = Math.max(...settings.map(({ name }) => name.length)) + 2
  const indent = ' '.repeat(nameColumns)
  return ordered
    .map(({ name, value, from }) => {
      const text = value === '' ? 'none' : value
      const head = name.padEnd(nameColumns)
      const line = `${head}${text.padEnd(VALUE_COLUMNS)}  ${from}`
      if (line.length <= columns) return `${line}\n`
      const fits = nameColumns + text.length <= columns
      return `${fits ? head + text : `${name}\n  ${text}`}\n${indent}${from}\n`
    })
    .join('')
}
