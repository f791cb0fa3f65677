// Finds the command, runs it, and turns what it throws into one message and an exit code.
import { MillraceError } from '../core/error.ts'
import { SettingsError, StartError } from '../server/errors.ts'
import { EXIT, type ExitCode } from '../server/exit-codes.ts'
import { didYouMean } from '../core/nearest-name.ts'
import { COMMANDS, isCommand } from './commands.ts'
import { errorText } from './error-text.ts'
import { commandUsage, usage } from './usage.ts'
import { packageVersion } from './version.ts'

/** @returns the exit code */
export async function run(argv: readonly string[]): Promise<ExitCode> {
  const [name, ...rest] = argv
  try {
    if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
      const about = rest[0]
      process.stdout.write(about !== undefined && isCommand(about) ? commandUsage(about) : usage())
      return name === undefined ? EXIT.usage : EXIT.stopped
    }
    if (name === '--version' || name === '-v') {
      process.stdout.write(`${await packageVersion()}\n`)
      return EXIT.stopped
    }
    if (!isCommand(name)) throw new SettingsError('CLI_UNKNOWN_COMMAND', unknownCommand(name))
    if (rest.includes('--help') || rest.includes('-h')) {
      process.stdout.write(commandUsage(name))
      return EXIT.stopped
    }
    return await (await COMMANDS[name].load()).run(rest)
  } catch (error) {
    process.stderr.write(`${told(error)}\n`)
    return error instanceof StartError || error instanceof SettingsError ? error.exitCode : EXIT.fault
  }
}

function unknownCommand(name: string): string {
  const names = Object.keys(COMMANDS)
  if (/\.[mc]?[jt]s$/.test(name)) return `${name} is not a command; to serve it: millrace serve ${name}`
  return `millrace has no command ${name}${didYouMean(name, names) || `; it has ${names.join(', ')}`}`
}

/** Our own errors are complete sentences; anything else is a fault, and its stack says where. */
function told(error: unknown): string {
  if (error instanceof MillraceError) return errorText(error.message, process.stderr)
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
