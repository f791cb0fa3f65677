// Reads the arguments of `millrace ctl`: which server, which command, and what of it. One table, from which its help follows.
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { didYouMean } from '../core/nearest-name.ts'
import { type ControlRequest, MOST_PROFILE_SECONDS, MOST_TAGS } from '../server/control-protocol.ts'
import { SettingsError } from '../server/errors.ts'
import { entry } from '../server/settings-reference.ts'

export interface CtlArguments {
  readonly request: ControlRequest
  /** Port or process id of the server that is meant. */
  readonly server: number | undefined
  /** Its control socket. */
  readonly socket: string | undefined
  readonly json: boolean
}

interface Operands {
  readonly operands: readonly string[]
  /** Of --seconds. */
  readonly seconds: string | undefined
  readonly quick: boolean
}

interface CtlCommand {
  readonly operands: string
  readonly meaning: string
  readonly mostOperands: number
  read(given: Operands): ControlRequest
}

export const CTL_COMMANDS: Readonly<Record<ControlRequest['command'], CtlCommand>> = {
  status: {
    operands: '',
    meaning: 'its workers: state, requests, connections, event loop, memory',
    mostOperands: 0,
    read: () => ({ command: 'status' }),
  },
  reload: {
    operands: '',
    meaning: 'new code and settings, worker by worker; waits, and ends with code 1 when it was not done',
    mostOperands: 0,
    read: () => ({ command: 'reload' }),
  },
  scale: {
    operands: 'N|+N|-N',
    meaning: 'so many workers, or so many more or fewer; waits until they are ready',
    mostOperands: 1,
    read: ({ operands: [count = ''] }) => {
      if (/^[+-]\d{1,4}$/.test(count)) return { command: 'scale', by: wholeNumber('scale', count, -1024, 1024) }
      return { command: 'scale', to: wholeNumber('scale', count, 1, 1024) }
    },
  },
  drain: {
    operands: 'WORKER',
    meaning: 'replace one worker, by its number or pid: the new one is ready first',
    mostOperands: 1,
    read: ({ operands: [worker] }) => ({ command: 'drain', worker: workerOf('drain', worker) }),
  },
  'heap-snapshot': {
    operands: 'WORKER [FILE]',
    meaning: 'what its memory holds, for the Memory tab of DevTools; it stands still meanwhile',
    mostOperands: 2,
    read: ({ operands: [worker, file] }) => {
      const number = workerOf('heap-snapshot', worker)
      return { command: 'heap-snapshot', worker: number, file: fileOf(file, number, 'heapsnapshot') }
    },
  },
  'cpu-profile': {
    operands: 'WORKER [FILE]',
    meaning: 'where its time goes, for the Performance tab of DevTools; --seconds 10',
    mostOperands: 2,
    read: ({ operands: [worker, file], seconds = '10' }) => {
      const number = workerOf('cpu-profile', worker)
      return {
        command: 'cpu-profile',
        worker: number,
        file: fileOf(file, number, 'cpuprofile'),
        seconds: wholeNumber('--seconds', seconds, 1, MOST_PROFILE_SECONDS),
      }
    },
  },
  purge: {
    operands: 'TAG...',
    meaning: 'the caches of all workers forget what carries one of the tags',
    mostOperands: MOST_TAGS,
    read: ({ operands: tags }) => {
      if (tags.length > 0) return { command: 'purge', tags }
      throw new SettingsError(
        'CLI_BAD_OPERAND',
        'purge needs the tags that are to be forgotten, such as: millrace ctl purge product:7',
      )
    },
  },
  upgrade: {
    operands: '',
    meaning: 'a new server, of the Millrace that is installed now, takes over the sockets; waits',
    mostOperands: 0,
    read: () => ({ command: 'upgrade' }),
  },
  stop: {
    operands: '',
    meaning: 'finish requests, then end; --quick ends at once',
    mostOperands: 0,
    read: ({ quick }) => ({ command: 'stop', quick }),
  },
}

const OPTIONS = {
  server: { type: 'string' },
  socket: { type: 'string' },
  seconds: { type: 'string' },
  quick: { type: 'boolean' },
  json: { type: 'boolean' },
} as const

type OptionName = keyof typeof OPTIONS

const OPTION_MEANINGS: Readonly<Record<OptionName, readonly [placeholder: string, meaning: string]>> = {
  server: ['PORT|PID', 'the server that is meant, where several run'],
  socket: ['PATH', 'its control socket, where it is not in the usual place (MILLRACE_CONTROL_SOCKET)'],
  seconds: ['N', `length of a CPU profile, at most ${MOST_PROFILE_SECONDS}`],
  quick: ['', 'stop without waiting for anything'],
  json: ['', 'answers as JSON'],
}

/** @throws SettingsError `CLI_UNKNOWN_COMMAND`, `CLI_UNKNOWN_FLAG`, `CLI_NO_VALUE`, `CLI_BAD_OPERAND`, `CLI_TOO_MANY` */
export function readCtlArguments(
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): CtlArguments {
  // `scale -1` is a number and no option.
  const args = argv.map(argument => (/^-\d+$/.test(argument) ? `\0${argument}` : argument))
  const { tokens } = parseArgs({ args, options: OPTIONS, strict: false, allowPositionals: true, tokens: true })
  const given: { [name in OptionName]?: string } = {}
  const words: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value.replace('\0', ''))
    if (token.kind !== 'option') continue
    if (!Object.hasOwn(OPTIONS, token.name)) throw new SettingsError('CLI_UNKNOWN_FLAG', unknownFlag(token.rawName))
    const name = token.name as OptionName
    const wantsValue = OPTIONS[name].type === 'string'
    if (wantsValue && (token.value === undefined || token.value === '' || token.value.startsWith('--')))
      throw new SettingsError('CLI_NO_VALUE', `--${name} needs a value: ${OPTION_MEANINGS[name].join(', ')}`)
    if (!wantsValue && token.value !== undefined) throw new SettingsError('CLI_BAD_OPERAND', `--${name} takes no value`)
    given[name] = token.value ?? ''
  }
  const [name, ...operands] = words
  if (name === undefined || !Object.hasOwn(CTL_COMMANDS, name))
    throw new SettingsError('CLI_UNKNOWN_COMMAND', unknownCommand(name))
  const command = CTL_COMMANDS[name as ControlRequest['command']]
  if (operands.length > command.mostOperands)
    throw new SettingsError('CLI_TOO_MANY', `ctl ${name} does not take ${operands[command.mostOperands]} as well`)
  const socket = given.socket ?? environment['MILLRACE_CONTROL_SOCKET']
  return {
    request: command.read({ operands, seconds: given.seconds, quick: given.quick !== undefined }),
    server: given.server === undefined ? undefined : wholeNumber('--server', given.server, 1, 2 ** 31),
    socket: socket === undefined || ['', 'auto', 'off'].includes(socket) ? undefined : socket,
    json: given.json !== undefined,
  }
}

/** Below the head of `millrace ctl --help`. */
export function ctlUsage(): string {
  const commands = Object.entries(CTL_COMMANDS).map(([name, { operands, meaning }]) =>
    entry(`${name} ${operands}`.trimEnd(), meaning),
  )
  const options = Object.entries(OPTION_MEANINGS).map(([name, [placeholder, meaning]]) =>
    entry(`--${name} ${placeholder}`.trimEnd(), meaning),
  )
  return `Commands:
${commands.join('\n')}

Options:
${options.join('\n')}

The only server of this user is found by itself.

Exit codes:
${entry('0', 'done')}
${entry('1', 'not done: no such server or worker, or it could not')}
${entry('2', 'not understood')}
`
}

function wholeNumber(what: string, found: string, from: number, to: number): number {
  const number = /^[+-]?\d{1,10}$/.test(found) ? Number(found) : NaN
  if (number >= from && number <= to) return number
  const said = found === '' ? 'needs a number' : `got ${JSON.stringify(found)}`
  throw new SettingsError('CLI_BAD_OPERAND', `${what} ${said}: a whole number from ${from} to ${to}`)
}

function workerOf(command: string, found: string | undefined): number {
  if (found !== undefined && /^\d{1,10}$/.test(found) && Number(found) > 0) return Number(found)
  const said = found === undefined ? 'needs to know which worker' : `got ${JSON.stringify(found)}`
  throw new SettingsError(
    'CLI_BAD_OPERAND',
    `ctl ${command} ${said}: its number or its pid, as millrace ctl status tells them`,
  )
}

/** Where we are, and not where the server is. */
function fileOf(file: string | undefined, worker: number, extension: string): string {
  const time = new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '')
  return resolve(file ?? `worker-${worker}-${time}.${extension}`)
}

function unknownFlag(typed: string): string {
  const near = didYouMean(typed.replace(/^-+/, ''), Object.keys(OPTIONS)).replace('did you mean ', 'did you mean --')
  return `millrace ctl has no option ${typed}${near || '; see millrace ctl --help'}`
}

function unknownCommand(name: string | undefined): string {
  const names = Object.keys(CTL_COMMANDS)
  if (name === undefined) return `millrace ctl needs a command: ${names.join(', ')}`
  return `millrace ctl has no command ${name}${didYouMean(name, names) || `; it has ${names.join(', ')}`}`
}
