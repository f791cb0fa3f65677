// Finds the value of every setting: flag, then environment, then config file, then what the app says, then the default.
import { SettingsError } from './errors.ts'
import { didYouMean, nearestName } from '../core/nearest-name.ts'
import { familiarHint } from './familiar-names.ts'
import {
  type Command,
  flagOf,
  PLACES,
  type Setting,
  SETTINGS,
  SETTING_NAMES,
  type SettingName,
  type Settings,
  variablesOf,
} from './settings.ts'

export interface SettingSources {
  readonly command: Command
  /** By setting name, as typed. */
  readonly flags: Readonly<Record<string, string>>
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The default export of millrace.config.ts, and its file name for messages. */
  readonly configFile: { readonly name: string; readonly values: Readonly<Record<string, unknown>> } | undefined
  /** What `new App({ server })` holds. */
  readonly app: Readonly<Record<string, unknown>>
}

export interface ResolvedSettings {
  readonly values: Settings
  /** Settings that somebody asked for, and where: '--port', 'PORT', 'millrace.config.ts', 'new App({ server })'. The others have their defaults. */
  readonly sources: ReadonlyMap<SettingName, string>
}

/**
 * @throws SettingsError `SETTINGS_BAD_VALUE` naming source, value and what was expected, or two values that contradict each other; `SETTINGS_UNKNOWN` for a name in the config
 *   file or the app that is no setting
 */
export function resolveSettings(sources: SettingSources): ResolvedSettings {
  refuseUnknown(sources.configFile?.values ?? {}, sources.configFile?.name ?? '')
  refuseUnknown(sources.app, APP)
  const values: Record<string, unknown> = {}
  const from = new Map<SettingName, string>()
  for (const name of SETTING_NAMES) {
    const setting: Setting<unknown> = SETTINGS[name]
    const found = setting.commands.includes(sources.command) ? lookUp(name, sources) : undefined
    if (found === undefined) {
      values[name] = setting.default[sources.command]
      continue
    }
    values[name] = readSetting(name, found.value, found.where)
    from.set(name, found.from)
  }
  refuseContradiction(values as Settings)
  return { values: values as Settings, sources: from }
}

/** Settings of a server started from code: the options, then the default. The environment is the caller's to read. */
export function settingsFromCode(
  options: Readonly<Record<string, unknown>>,
  app: Readonly<Record<string, unknown>>,
): Settings {
  return resolveSettings({
    command: 'serve',
    flags: {},
    environment: {},
    configFile: { name: 'serve(app, options)', values: options },
    app,
  }).values
}

/** What has to be known before anything is read: of .env itself nobody can say in .env where it is. @returns '' where nobody says */
export function placeOf(name: (typeof PLACES)[number], flags: SettingSources['flags']): string {
  return flags[name] ?? process.env[variablesOf(name)[0]!] ?? ''
}

export function readSetting<Name extends SettingName>(name: Name, found: unknown, where: string): Settings[Name] {
  const setting: Setting<unknown> = SETTINGS[name]
  const value = setting.type.read(found)
  if (value === undefined)
    throw new SettingsError('SETTINGS_BAD_VALUE', `${where} is ${shown(found)}; expected ${setting.type.expected}`)
  return value as Settings[Name]
}

/**
 * One line for each variable that is spelt like a setting of ours and is none. A warning and no error, unlike a flag: an environment is
 * shared, and a newer release's variable should not keep an older one from starting.
 */
export function strangeVariables(environment: SettingSources['environment']): readonly string[] {
  const known = SETTING_NAMES.flatMap(name => variablesOf(name)).filter(name => name.startsWith(OURS))
  return Object.keys(environment)
    .filter(name => name.startsWith(OURS) && !known.includes(name))
    .map(name => {
      const near = nearestName(
        name.slice(OURS.length),
        known.map(one => one.slice(OURS.length)),
      )
      return `the environment variable ${name} is no setting${near === undefined ? '' : `; did you mean ${OURS}${near}?`}`
    })
}

const OURS = 'MILLRACE_'
const APP = 'new App({ server })'

interface Found {
  readonly value: unknown
  /** For messages, before "is". */
  readonly where: string
  /** For tables. */
  readonly from: string
}

function lookUp(name: SettingName, sources: SettingSources): Found | undefined {
  const flag = sources.flags[name]
  if (flag !== undefined) return { value: flag, where: `--${flagOf(name)}`, from: `--${flagOf(name)}` }
  for (const variable of variablesOf(name)) {
    const value = sources.environment[variable]
    // Set but empty means unset: `PORT= millrace serve` and compose files write it so.
    if (value !== undefined && value !== '')
      return { value, where: `the environment variable ${variable}`, from: variable }
  }
  const { configFile, app } = sources
  if (configFile?.values[name] !== undefined)
    return { value: configFile.values[name], where: `${name} in ${configFile.name}`, from: configFile.name }
  if (app[name] !== undefined) return { value: app[name], where: `${name} in ${APP}`, from: APP }
  return undefined
}

function refuseContradiction({ proxyProtocol, trustedProxies, workers, maxWorkers }: Settings): void {
  if (maxWorkers !== null && maxWorkers < workers)
    throw new SettingsError(
      'SETTINGS_BAD_VALUE',
      `maxWorkers is ${maxWorkers}, less than workers, which is ${workers}: the number grows from workers to maxWorkers`,
    )
  if (proxyProtocol && trustedProxies.length === 0)
    throw new SettingsError(
      'SETTINGS_BAD_VALUE',
      'proxyProtocol is on, but trustedProxies is none: nobody may send a header; name the proxies, by address or network',
    )
}

function refuseUnknown(values: Readonly<Record<string, unknown>>, where: string): void {
  for (const name of Object.keys(values)) {
    if (!Object.hasOwn(SETTINGS, name))
      throw new SettingsError(
        'SETTINGS_UNKNOWN',
        `${where} holds ${name}, which is not a setting${familiarHint(name) || didYouMean(name, SETTING_NAMES)}`,
      )
    if ((PLACES as readonly string[]).includes(name))
      throw new SettingsError(
        'SETTINGS_UNKNOWN',
        `${where} holds ${name}, which says where settings are read from: --${flagOf(name as SettingName)} and ${variablesOf(name as SettingName)[0]!} can say that`,
      )
  }
}

function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : (JSON.stringify(value) ?? String(value))
}
