// Prints the table of settings: as the option list of --help, as a list for people, and as docs/reference/settings.md.
import { wrap } from '../core/wrap.ts'
import { EXIT_MEANINGS } from './exit-codes.ts'
import { FAMILIAR_NAMES, type OtherWay, type SameSetting, SHORT_FLAGS } from './familiar-names.ts'
import {
  type Command,
  flagOf,
  type Setting,
  SETTINGS,
  SETTING_NAMES,
  type SettingName,
  settingsOf,
  variablesOf,
} from './settings.ts'

const HELP_COLUMNS = 80

/** One entry per setting, wrapped at 80 columns. */
export function settingsHelp(command: Command): string {
  return settingsOf(command)
    .filter(name => !SETTINGS[name].isRare)
    .map(name => {
      const setting: Setting<unknown> = SETTINGS[name]
      const value = setting.default[command]
      const more = [value === '' ? '' : `default ${setting.type.show(value)}`, variablesOf(name).at(-1)!]
      return entry(
        `--${flagOf(name)} ${setting.type.placeholder}`,
        `${setting.meaning} (${more.filter(Boolean).join(', ')})`,
      )
    })
    .join('\n')
}

const TEXT_COLUMN = 28

/** `  --flag VALUE    meaning`, the meaning wrapped and indented. */
export function entry(head: string, meaning: string): string {
  const lines = wrap(meaning, HELP_COLUMNS - TEXT_COLUMN)
  const first = `  ${head}`
  const indent = ' '.repeat(TEXT_COLUMN)
  const fits = first.length < TEXT_COLUMN - 1
  return `${fits ? first.padEnd(TEXT_COLUMN) : `${first}\n${indent}`}${lines.join(`\n${indent}`)}`
}

/** What `millrace settings` prints: for each its flag, meaning, values, default, and its names elsewhere. */
export function settingsText(): string {
  const indent = ' '.repeat(TEXT_COLUMN)
  const settings = SETTING_NAMES.map(name => {
    const { type, meaning }: Setting<unknown> = SETTINGS[name]
    const more = [`${type.expected}; default ${defaultOf(name)}`, [name, ...variablesOf(name)].join(', ')]
    const lines = more.flatMap(text => wrap(text, HELP_COLUMNS - TEXT_COLUMN))
    return [entry(`--${flagOf(name)} ${type.placeholder}`, meaning), ...lines.map(line => indent + line)].join('\n')
  })
  return `Settings of millrace serve and millrace dev.

Below each: what it may be, then its name in millrace.config.ts and in
new App({ server }), then its environment variables. A flag beats the
environment (.env included), that beats the config file, and that beats the app.

${settings.join('\n\n')}

Exit codes:
${EXIT_MEANINGS.map(([code, meaning]) => entry(String(code), meaning)).join('\n')}
`
}

/** docs/reference/settings.md, whole. */
export function settingsPage(): string {
  return `# Settings

Printed from \`src/server/settings.ts\`; change the table there, then run
\`npm run --silent millrace -- settings --markdown > docs/reference/settings.md\`.

A flag beats the environment, the environment beats the config file, the config file beats \`new App({ server })\`, and that beats the
default. Variables in \`.env\` count as environment; those already set win. The config file is \`millrace.config.ts\` (or \`.js\`, \`.mjs\`)
in the working directory; its default export is an object with the names of this page. \`serve(app, options)\` takes the same names.

| setting | flag | environment | default | value | meaning |
|---|---|---|---|---|---|
${SETTING_NAMES.map(settingLine).join('\n')}

A duration is written \`500ms\`, \`5s\`, \`2m\`, \`1h\`; a bare number is milliseconds. A size is written \`65536\`, \`64KiB\`, \`1MiB\`; a
bare number is bytes.

## Names from other servers

What Uvicorn, Gunicorn and FastAPI's command call their options. One that is a setting here can be typed by that name too: \`-w 4 --bind
0.0.0.0:80 --timeout-keep-alive 65\`. The others are refused, with what is said of them here. Options that are called the same on both sides
are not listed. Variables and configuration files of other servers are not read.

| option | of | here |
|---|---|---|
${Object.entries(FAMILIAR_NAMES).map(familiarLine).join('\n')}

## Exit codes

| code | meaning |
|---|---|
${EXIT_MEANINGS.map(([code, meaning]) => `| ${code} | ${meaning} |`).join('\n')}
`
}

function settingLine(name: SettingName): string {
  const setting: Setting<unknown> = SETTINGS[name]
  const cells = [
    `\`${name}\``,
    `\`--${flagOf(name)} ${setting.type.placeholder}\``,
    variablesOf(name)
      .map(variable => `\`${variable}\``)
      .join(', '),
    defaultOf(name, value => `\`${value}\``),
    setting.type.expected,
    setting.meaning,
  ]
  return `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

function familiarLine([name, familiar]: readonly [string, SameSetting | OtherWay]): string {
  const short = Object.entries(SHORT_FLAGS).find(([, long]) => long === name)?.[0]
  const option = [`\`--${name}\``, ...(short === undefined ? [] : [`\`-${short}\``])].join(', ')
  const here = 'here' in familiar ? familiar.here : `none: ${familiar.instead}`
  return `| ${option} | ${familiar.of.join(', ')} | ${here.replaceAll('|', '\\|')} |`
}

function defaultOf(name: SettingName, dress = (value: string): string => value): string {
  const setting: Setting<unknown> = SETTINGS[name]
  const shown = (command: Command) => {
    const value = setting.default[command]
    return value === '' ? 'none' : dress(setting.type.show(value))
  }
  const [only] = setting.commands
  if (setting.commands.length === 1) return `${shown(only!)} (${only} only)`
  return shown('serve') === shown('dev') ? shown('serve') : `${shown('serve')}; dev: ${shown('dev')}`
}
