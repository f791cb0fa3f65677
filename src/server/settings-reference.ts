// Prints the table of settings: as the option list of --help, and as docs/reference/settings.md.
import { EXIT_MEANINGS } from './exit-codes.ts'
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
  const lines: string[] = []
  let line = ''
  for (const word of meaning.split(' ')) {
    if (line !== '' && TEXT_COLUMN + line.length + 1 + word.length > HELP_COLUMNS) {
      lines.push(line)
      line = ''
    }
    line += line === '' ? word : ` ${word}`
  }
  lines.push(line)
  const first = `  ${head}`
  const indent = ' '.repeat(TEXT_COLUMN)
  const fits = first.length < TEXT_COLUMN - 1
  return `${fits ? first.padEnd(TEXT_COLUMN) : `${first}\n${indent}`}${lines.join(`\n${indent}`)}`
}

/** docs/reference/settings.md, whole. */
export function settingsPage(): string {
  return `# Settings

Printed from \`src/server/settings.ts\`; change the table there, then run
\`npm run --silent millrace -- settings > docs/reference/settings.md\`.

A flag beats the environment, the environment beats the config file, the config file beats \`new App({ server })\`, and that beats the
default. Variables in \`.env\` count as environment; those already set win. The config file is \`millrace.config.ts\` (or \`.js\`, \`.mjs\`)
in the working directory; its default export is an object with the names of this page. \`serve(app, options)\` takes the same names.

| setting | flag | environment | default | value | meaning |
|---|---|---|---|---|---|
${SETTING_NAMES.map(settingLine).join('\n')}

A duration is written \`500ms\`, \`5s\`, \`2m\`, \`1h\`; a bare number is milliseconds. A size is written \`65536\`, \`64KiB\`, \`1MiB\`; a
bare number is bytes.

## Exit codes

| code | meaning |
|---|---|
${EXIT_MEANINGS.map(([code, meaning]) => `| ${code} | ${meaning} |`).join('\n')}
`
}

function settingLine(name: SettingName): string {
  const setting: Setting<unknown> = SETTINGS[name]
  const shown = (command: Command) => {
    const value = setting.default[command]
    return value === '' ? 'none' : `\`${setting.type.show(value)}\``
  }
  const [only] = setting.commands
  const byCommand =
    setting.commands.length === 1
      ? `${shown(only!)} (${only} only)`
      : shown('serve') === shown('dev')
        ? shown('serve')
        : `${shown('serve')}; dev: ${shown('dev')}`
  const cells = [
    `\`${name}\``,
    `\`--${flagOf(name)} ${setting.type.placeholder}\``,
    variablesOf(name)
      .map(variable => `\`${variable}\``)
      .join(', '),
    byCommand,
    setting.type.expected,
    setting.meaning,
  ]
  return `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
}
