// Reads the arguments of `millrace doctor`: an app or none, the settings that it would be served with, and a database in the place of its own.
import { SettingsError } from '../server/errors.ts'
import { entry } from '../server/settings-reference.ts'
import { readOptionalApp } from './arguments.ts'

export interface DoctorArguments {
  readonly app: string | undefined
  /** By setting name, as typed. */
  readonly flags: Readonly<Record<string, string>>
  readonly url: string | undefined
}

/** @throws SettingsError as readArguments(), but for `CLI_NO_APP` */
export function readDoctorArguments(argv: readonly string[]): DoctorArguments {
  const rest: string[] = []
  let url: string | undefined
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index]!
    if (argument !== '--url' && !argument.startsWith('--url=')) rest.push(argument)
    else url = argument === '--url' ? argv[++index] : argument.slice('--url='.length)
    if (url !== undefined && (url === '' || url.startsWith('--')))
      throw new SettingsError('CLI_NO_VALUE', '--url needs a value: URL, the database')
  }
  if (argv.at(-1) === '--url') throw new SettingsError('CLI_NO_VALUE', '--url needs a value: URL, the database')
  return { ...readOptionalApp(rest, 'doctor', 'serve'), url }
}

/** Below the head of `millrace doctor --help`. */
export function doctorUsage(): string {
  return `It takes every option of millrace serve, such as --workers and --replicas, and:
${entry('--url URL', 'the database that is looked at (default: those of APP, or DATABASE_URL)')}

Exit codes:
${entry('0', 'nothing has to be changed')}
${entry('1', 'something has to be changed (!): connections that cannot fit, a database that does not answer')}
${entry('2', 'not understood')}
${entry('3', 'the app could not be loaded')}
`
}
