// Reads the options of a command that has some of its own, beside or instead of the settings. One table each, from which its help follows.
import { parseArgs } from 'node:util'
import { didYouMean } from '../core/nearest-name.ts'
import { SettingsError } from '../server/errors.ts'
import { entry } from '../server/settings-reference.ts'

export interface OwnOption {
  /** Stands for the value; '' for an option that takes none. */
  readonly placeholder: string
  readonly meaning: string
}

export interface OwnArguments<Name extends string> {
  readonly operands: readonly string[]
  /** As typed; '' for an option without a value. */
  readonly given: { readonly [name in Name]?: string }
}

/** @throws SettingsError `CLI_UNKNOWN_FLAG`, `CLI_NO_VALUE`, `CLI_BAD_OPERAND` */
export function readOwnOptions<Name extends string>(
  argv: readonly string[],
  command: string,
  table: Readonly<Record<Name, OwnOption>>,
): OwnArguments<Name> {
  const rows: Readonly<Record<string, OwnOption>> = table
  const options = Object.fromEntries(
    Object.entries(rows).map(([name, { placeholder }]) => [
      name,
      { type: placeholder === '' ? ('boolean' as const) : ('string' as const) },
    ]),
  )
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true })
  const operands: string[] = []
  const given: Record<string, string> = {}
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value)
    if (token.kind !== 'option') continue
    const option = Object.hasOwn(rows, token.name) ? rows[token.name] : undefined
    if (option === undefined) {
      const near = didYouMean(token.name, Object.keys(rows)).replace('did you mean ', 'did you mean --')
      throw new SettingsError(
        'CLI_UNKNOWN_FLAG',
        `millrace ${command} has no option ${token.rawName}${near || `; see millrace ${command} --help`}`,
      )
    }
    const { value } = token
    if (option.placeholder === '' && value !== undefined)
      throw new SettingsError('CLI_BAD_OPERAND', `--${token.name} takes no value`)
    if (option.placeholder !== '' && (value === undefined || value === '' || value.startsWith('--')))
      throw new SettingsError('CLI_NO_VALUE', `--${token.name} needs a value: ${option.placeholder}, ${option.meaning}`)
    given[token.name] = value ?? ''
  }
  return { operands, given: given as OwnArguments<Name>['given'] }
}

export function ownOptionsUsage(table: Readonly<Record<string, OwnOption>>): string {
  return Object.entries(table)
    .map(([name, { placeholder, meaning }]) => entry(`--${name} ${placeholder}`.trimEnd(), meaning))
    .join('\n')
}
