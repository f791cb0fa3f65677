// Where the log goes: JSON lines (pino) for machines, short lines for a person at a terminal.
import { pino } from 'pino'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export interface Logger {
  debug(...of: unknown[]): void
  info(...of: unknown[]): void
  warn(...of: unknown[]): void
  error(...of: unknown[]): void
}

export interface LoggerOptions {
  /** Default info. */
  readonly level?: LogLevel
  /** Default: lines when stderr is a terminal, json otherwise. */
  readonly format?: 'json' | 'lines'
  /** Default: stderr. */
  readonly write?: (text: string) => void
}

const ORDER: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent']

/** Called as pino is: `log.error({ err, route }, 'request failed')`, `log.info('ready')`. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const {
    level = 'info',
    format = process.stderr.isTTY ? 'lines' : 'json',
    write = (text: string) => void process.stderr.write(text),
  } = options
  if (format === 'json') return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, { write })
  const line = (of: LogLevel) =>
    ORDER.indexOf(of) < ORDER.indexOf(level) ? () => {} : (...args: unknown[]) => write(asLine(of, args))
  return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') }
}

function asLine(level: LogLevel, args: readonly unknown[]): string {
  const [first, ...rest] = args
  const isFields = typeof first === 'object' && first !== null && !(first instanceof Error)
  const words = (isFields ? rest : args).map(told)
  const { err, ...fields } = (isFields ? first : {}) as Record<string, unknown>
  const extra = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  const head = [new Date().toISOString().slice(11, 19), level.padEnd(5), ...words, ...extra].join(' ')
  return err === undefined ? `${head}\n` : `${head}\n${told(err).replaceAll(/^/gm, '  ')}\n`
}

function told(value: unknown): string {
  if (!(value instanceof Error)) return typeof value === 'string' ? value : JSON.stringify(value)
  const cause = value.cause === undefined ? '' : `\ncaused by: ${told(value.cause)}`
  const { code } = value as { code?: unknown }
  return `${typeof code === 'string' ? `${code} ` : ''}${value.stack ?? value.message}${cause}`
}
