// The help texts, made of the tables they describe: commands, settings, exit codes.
import { EXIT_MEANINGS } from '../server/exit-codes.ts'
import { SIGNALS } from '../server/signals.ts'
import { entry, settingsHelp } from '../server/settings-reference.ts'
import { COMMANDS, type CommandName } from './commands.ts'
import { ctlUsage } from './ctl-arguments.ts'
import { doctorUsage } from './doctor-arguments.ts'
import { migrateUsage } from './migrate-arguments.ts'

export function usage(): string {
  const commands = Object.entries(COMMANDS).map(([name, { operands, summary }]) =>
    entry(`${name} ${operands}`.trimEnd(), summary),
  )
  return `Usage: millrace COMMAND

${commands.join('\n')}

  millrace COMMAND --help   options of a command
  millrace --version

APP is the module whose default export is the app, such as app.ts.
`
}

export function commandUsage(name: CommandName): string {
  const { operands, summary } = COMMANDS[name]
  const isServer = name === 'serve' || name === 'dev'
  const head = `Usage: millrace ${name}${operands && ` ${operands}`}${isServer ? ' [OPTIONS]' : ''}

${summary[0]!.toUpperCase()}${summary.slice(1)}.
`
  if (name === 'config') return `${head}\n${CONFIG_OPTIONS}`
  if (name === 'ctl') return `${head}\n${ctlUsage()}`
  if (name === 'doctor') return `${head}\n${doctorUsage()}`
  if (name === 'migrate') return `${head}\n${migrateUsage()}`
  if (!isServer) return head
  const signals = Object.entries(SIGNALS).map(([signal, intention]) =>
    entry(signal.slice(3), SIGNAL_MEANINGS[intention]),
  )
  const exits = EXIT_MEANINGS.map(([code, meaning]) => entry(String(code), meaning))
  return `${head}
Options, each with its default and its environment variable:
${settingsHelp(name)}

Some more, rarely needed, are listed by: millrace settings
A flag beats the environment (.env included), that beats millrace.config.ts,
and that beats new App({ server }).

Signals:
${signals.join('\n')}

Exit codes:
${exits.join('\n')}
`
}

const CONFIG_OPTIONS = `It takes every option of millrace serve, and:
${entry('--dev', 'those of millrace dev instead')}
${entry('--json', 'as JSON: value and source, by name')}
`

const SIGNAL_MEANINGS = {
  stop: 'finish requests, then end; a second one ends at once',
  'stop-quickly': 'end at once',
  reload: 'new code and settings, worker by worker; nothing is lost',
  'more-workers': 'one worker more',
  'fewer-workers': 'one worker fewer',
  reopen: 'read the files of the certificate again',
  upgrade: 'a new server, of the Millrace that is installed now, takes over the sockets; nothing is lost',
} as const
