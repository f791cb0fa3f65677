// Reads the arguments of `millrace migrate`: what to do, with which folder, in which database.
import { didYouMean } from '../core/nearest-name.ts'
import { SettingsError } from '../server/errors.ts'
import { entry } from '../server/settings-reference.ts'
import { type OwnOption, ownOptionsUsage, readOwnOptions } from './own-options.ts'

const ACTIONS = {
  up: 'apply what is pending, each file in a transaction; one runner at a time, others wait',
  status: 'list what is applied and what is pending; ends with code 1 when the history was rewritten',
  new: 'make the next file: millrace migrate new add prices',
} as const

export type MigrateAction = keyof typeof ACTIONS

const OPTIONS = {
  dir: { placeholder: 'DIR', meaning: 'the folder of the files (default migrations)' },
  url: { placeholder: 'URL', meaning: 'the database (default: DATABASE_URL, of .env too, or the embedded server)' },
  app: { placeholder: 'APP', meaning: "that of this app's postgres(), where it names one in its code" },
  table: { placeholder: 'NAME', meaning: 'the table of what has been applied (default migrations)' },
} as const satisfies Readonly<Record<string, OwnOption>>

export interface MigrateArguments {
  readonly action: MigrateAction
  /** Of `new`. */
  readonly title: string
  readonly dir: string
  readonly url: string | undefined
  /** As typed: the module that exports the app. */
  readonly app: string | undefined
  readonly table: string | undefined
}

/** @throws SettingsError `CLI_UNKNOWN_COMMAND`, `CLI_UNKNOWN_FLAG`, `CLI_NO_VALUE`, `CLI_BAD_OPERAND`, `CLI_TOO_MANY` */
export function readMigrateArguments(argv: readonly string[]): MigrateArguments {
  const { operands, given } = readOwnOptions(argv, 'migrate', OPTIONS)
  const [action, ...words] = operands
  if (action === undefined || !isAction(action)) throw new SettingsError('CLI_UNKNOWN_COMMAND', unknownAction(action))
  if (action === 'new' && words.length === 0)
    throw new SettingsError(
      'CLI_BAD_OPERAND',
      'migrate new needs to know what changes: millrace migrate new add prices',
    )
  if (action !== 'new' && words.length > 0)
    throw new SettingsError('CLI_TOO_MANY', `migrate ${action} does not take ${words[0]!} as well`)
  const { dir = 'migrations', url, app, table } = given
  if (url !== undefined && app !== undefined)
    throw new SettingsError('CLI_BAD_OPERAND', '--url and --app both name the database; give one of them')
  return { action, title: words.join(' '), dir, url, app, table }
}

/** Below the head of `millrace migrate --help`. */
export function migrateUsage(): string {
  const actions = Object.entries(ACTIONS).map(([name, meaning]) => entry(name === 'new' ? 'new NAME' : name, meaning))
  return `Actions:
${actions.join('\n')}

Options:
${ownOptionsUsage(OPTIONS)}

Files are named 001-what-changes.sql, and are never changed once applied. One
that begins with the line "-- millrace: no transaction" runs outside of one.

Exit codes:
${entry('0', 'done')}
${entry('1', 'not done: what is wrong is said, with file and line')}
${entry('2', 'not understood')}
`
}

function isAction(name: string): name is MigrateAction {
  return Object.hasOwn(ACTIONS, name)
}

function unknownAction(name: string | undefined): string {
  const names = Object.keys(ACTIONS)
  if (name === undefined) return `millrace migrate needs an action: ${names.join(', ')}`
  return `millrace migrate has no action ${name}${didYouMean(name, names) || `; it has ${names.join(', ')}`}`
}
