// Where the log goes: JSON lines (pino) for machines, short lines for a person at a terminal.
import { inspect } from 'node:util'
import { pino } from 'pino'
import { readableStack } from './stack.ts'

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
  const { err, ...fields } = (isFields ? first : {}) as Record<string, unknown>
  const words = (isFields ? rest : args).map(value => told(value))
  const extra = Object.entries(fields).map(([name, value]) => `${name}=${oneLine(value)}`)
  const head = [new Date().toISOString().slice(11, 19), level.padEnd(5), ...words, ...extra].join(' ')
  return `${harmless(err === undefined ? head : `${head}\n${told(err).replaceAll(/^/gm, '  ')}`)}\n`
}

function oneLine(value: unknown): string {
  return typeof value === 'string' && !value.includes('\n') ? value : json(value)
}

// As deep as causes are ever read; they may go round in a circle.
const MAX_CAUSES = 8

function told(value: unknown, depth = 0): string {
  if (!(value instanceof Error)) return typeof value === 'string' ? value : json(value)
  const { code } = value as { code?: unknown }
  // What an AggregateError gathered is not in its stack: a connection refused by IPv6 and by IPv4 says so only there.
  const more = [
    ...(value instanceof AggregateError ? value.errors.map((each: unknown) => ['one of', each] as const) : []),
    ...(value.cause === undefined ? [] : [['caused by', value.cause] as const]),
  ]
  return [
    `${typeof code === 'string' ? `${code} ` : ''}${readableStack(value)}`,
    ...(depth < MAX_CAUSES ? more.map(([how, each]) => `${how}: ${told(each, depth + 1)}`) : []),
  ].join('\n')
}

// A log call never throws: it stands in the places that answer for errors.
function json(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return inspect(value, { breakLength: Infinity })
  }
}

// Values come from clients: an escape sequence would speak to the terminal of whoever reads the log.
function harmless(text: string): string {
  return text.replaceAll(
    /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g,
    char => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}
