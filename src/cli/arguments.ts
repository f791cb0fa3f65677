// Reads the arguments of a command: the app, and a flag for each setting that the command knows.
import { parseArgs } from 'node:util'
import { SettingsError } from '../server/errors.ts'
import { didYouMean } from '../core/nearest-name.ts'
import { FAMILIAR_NAMES, type SameSetting, SHORT_FLAGS } from '../server/familiar-names.ts'
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
  const { app, flags } = readOptionalApp(argv, name, command)
  if (app === undefined)
    throw new SettingsError('CLI_NO_APP', `name the module that exports the app, such as: millrace ${name} app.ts`)
  return { app, flags }
}

/** The same for a command that has something to say without an app. @throws SettingsError as readArguments(), but for `CLI_NO_APP` */
export function readOptionalApp(
  argv: readonly string[],
  name: string,
  command?: Command,
): Omit<Arguments, 'app'> & { readonly app: string | undefined } {
  const names = command ? settingsOf(command) : []
  const byFlag = new Map<string, SettingName>(names.map(name => [flagOf(name), name]))
  const flags: Record<string, string> = {}
  const operands: string[] = []
  /** By setting, the flag that gave it. */
  const givenBy = new Map<SettingName, string>()
  for (const token of tokensOf(argv, command ? [...byFlag.keys()] : [])) {
    if (token.kind === 'positional') operands.push(token.value)
    if (token.kind !== 'option') continue
    const given = settingsGiven(token, byFlag, name)
    for (const [setting, text] of given) {
      readSetting(setting, text, token.rawName)
      refuseSecond(setting, text, token.name, flags[setting], givenBy.get(setting))
      flags[setting] = text
      givenBy.set(setting, token.name)
    }
  }
  refuseTwoAddresses(givenBy)
  const [app, extra] = operands
  if (extra !== undefined)
    throw new SettingsError('CLI_TOO_MANY', `millrace ${name} takes one app, and ${extra} is a second operand`)
  return { app, flags }
}

type Token = Extract<ReturnType<typeof tokensOf>[number], { kind: 'option' }>

/** Every option takes a value here, so that `--port 80` is one token. */
function tokensOf(argv: readonly string[], known: readonly string[]) {
  const names = known.length === 0 ? [] : [...known, ...Object.keys(FAMILIAR_NAMES)]
  const letters = Object.fromEntries(Object.entries(SHORT_FLAGS).map(([short, name]) => [name, short]))
  const options = Object.fromEntries(
    names.map(name => [
      name,
      { type: 'string' as const, ...(letters[name] === undefined ? {} : { short: letters[name] }) },
    ]),
  )
  return parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true }).tokens
}

/** What one option says of which settings: one by our own name, perhaps several by another server's. */
function settingsGiven(token: Token, byFlag: ReadonlyMap<string, SettingName>, command: string) {
  const setting = byFlag.get(token.name)
  const familiar = Object.hasOwn(FAMILIAR_NAMES, token.name) ? FAMILIAR_NAMES[token.name] : undefined
  if (byFlag.size === 0 || (setting === undefined && familiar === undefined))
    throw new SettingsError('CLI_UNKNOWN_FLAG', unknownFlag(token.rawName, command, [...byFlag.keys()]))
  if (setting === undefined && familiar !== undefined && 'instead' in familiar)
    throw new SettingsError(
      'CLI_UNKNOWN_FLAG',
      `${token.rawName} is an option of ${familiar.of.join(' and ')}, and none here: ${familiar.instead}`,
    )
  const expected = setting === undefined ? 'see millrace settings' : SETTINGS[setting].type.expected
  if (token.value === undefined || token.value === '' || (!token.inlineValue && token.value.startsWith('--')))
    throw new SettingsError('CLI_NO_VALUE', `${token.rawName} needs a value: ${expected}`)
  if (setting !== undefined) return [[setting, token.value] as const]
  const given = Object.entries((familiar as SameSetting).read(token.value)) as [SettingName, string][]
  const strange = given.find(([name]) => !byFlag.has(flagOf(name)))
  if (strange) throw new SettingsError('CLI_UNKNOWN_FLAG', unknownFlag(token.rawName, command, [...byFlag.keys()]))
  return given
}

/** The last of one flag wins, so that a script's can be overridden. Two names of one setting that differ are a mistake; so is a second --bind. */
function refuseSecond(setting: SettingName, text: string, flag: string, before: string | undefined, by?: string): void {
  if (before === undefined || before === text || (by === flag && flag !== 'bind')) return
  throw new SettingsError(
    'SETTINGS_BAD_VALUE',
    flag === by
      ? `--bind is given twice, and one address is served; behind a proxy, serve a unix socket or a port`
      : `--${by} and --${flag} are the same setting, ${setting}, and say ${before} and ${text}`,
  )
}

const ADDRESSES: readonly (readonly SettingName[])[] = [['host', 'port'], ['uds'], ['fd']]

function refuseTwoAddresses(givenBy: ReadonlyMap<SettingName, string>): void {
  const flags = ADDRESSES.flatMap(names => names.filter(name => givenBy.has(name)).slice(0, 1))
  if (flags.length > 1)
    throw new SettingsError(
      'SETTINGS_BAD_VALUE',
      `${flags.map(name => `--${givenBy.get(name)!}`).join(' and ')} name two addresses, and one is served`,
    )
}

function unknownFlag(typed: string, name: string, known: readonly string[]): string {
  const near = didYouMean(typed.replace(/^-+/, ''), known).replace('did you mean ', 'did you mean --')
  return `millrace ${name} has no option ${typed}${near || `; see millrace ${name} --help`}`
}
