// Reads the arguments of a command: the app, and a flag for each setting that the command knows.
import { parseArgs } from 'node:util'
import { SettingsError } from '../server/errors.ts'
import { didYouMean } from '../core/nearest-name.ts'
import { readSetting } from '../server/settings-sources.ts'
import { type Command, flagOf, SETTINGS, type SettingName, settingsOf } from '../server/settings.ts'

export interface Arguments {
  readonly app: string
  /** By setting name, as typed. */
  readonly flags: Readonly<Record<string, string>>
}

/**
 * @param command  undefined for a command that takes no settings
 * @throws SettingsError `CLI_UNKNOWN_FLAG`, `CLI_NO_VALUE`, `CLI_NO_APP`, `CLI_TOO_MANY`; `SETTINGS_BAD_VALUE` before the app is
 *   looked at
 */
export function readArguments(argv: readonly string[], name: string, command?: Command): Arguments {
  const names = command ? settingsOf(command) : []
  const byFlag = new Map<string, SettingName>(names.map(name => [flagOf(name), name]))
  const options = Object.fromEntries([...byFlag.keys()].map(flag => [flag, { type: 'string' as const }]))
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true })
  const flags: Record<string, string> = {}
  const operands: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value)
    if (token.kind !== 'option') continue
    const setting = byFlag.get(token.name)
    if (setting === undefined)
      throw new SettingsError('CLI_UNKNOWN_FLAG', unknownFlag(token.rawName, name, [...byFlag.keys()]))
    if (token.value === undefined || token.value === '' || (!token.inlineValue && token.value.startsWith('--')))
      throw new SettingsError('CLI_NO_VALUE', `--${token.name} needs a value: ${SETTINGS[setting].type.expected}`)
    readSetting(setting, token.value, `--${token.name}`)
    flags[setting] = token.value
  }
  const [app, extra] = operands
  if (app === undefined)
    throw new SettingsError('CLI_NO_APP', `name the module that exports the app, such as: millrace ${name} app.ts`)
  if (extra !== undefined)
    throw new SettingsError('CLI_TOO_MANY', `millrace ${name} takes one app, and ${extra} is a second operand`)
  return { app, flags }
}

function unknownFlag(typed: string, name: string, known: readonly string[]): string {
  const near = didYouMean(typed.replace(/^-+/, ''), known).replace('did you mean ', 'did you mean --')
  return `millrace ${name} has no option ${typed}${near || `; see millrace ${name} --help`}`
}
