// The kinds of value a setting can have: how each is read from text or from code, and how it is shown.
import { isIP } from 'node:net'
import { type Duration, milliseconds } from '../core/duration.ts'
import { bytesOf, sizeText } from '../core/size.ts'
import { FORWARDED_FIELDS, type ForwardedField, isProxyName } from '../http/trusted-proxy.ts'

export interface SettingType<T> {
  /** Stands for the value in --help: N, TIME, SIZE. */
  readonly placeholder: string
  /** Completes "expected ...". */
  readonly expected: string
  /** @returns the value, or undefined when `found` is not one. `found` is text from outside, anything from code. */
  read(found: unknown): T | undefined
  /** As it would be written on the command line. */
  show(value: T): string
}

const digits = /^\d{1,15}$/

export function wholeNumber(from: number, to = Number.MAX_SAFE_INTEGER): SettingType<number> {
  return {
    placeholder: 'N',
    expected:
      to === Number.MAX_SAFE_INTEGER ? `a whole number, ${from} or more` : `a whole number from ${from} to ${to}`,
    read(found) {
      const number = typeof found === 'string' && digits.test(found) ? Number(found) : found
      return typeof number === 'number' && Number.isSafeInteger(number) && number >= from && number <= to
        ? number
        : undefined
    },
    show: String,
  }
}

/** Held in milliseconds; written 500, '500ms', '2s', '5m', '1h'. */
export const duration: SettingType<number> = {
  placeholder: 'TIME',
  expected: 'a duration such as 500ms, 5s or 2m (a bare number is milliseconds)',
  read(found) {
    const text = typeof found === 'string' && digits.test(found) ? Number(found) : found
    if (typeof text !== 'number' && typeof text !== 'string') return undefined
    try {
      return milliseconds(text as Duration)
    } catch {
      return undefined
    }
  },
  show(ms) {
    if (ms !== 0 && ms % 60_000 === 0) return `${ms / 60_000}m`
    return ms !== 0 && ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`
  },
}

/** 'off' is null; so is 0, as gunicorn has it. */
export const durationOrOff: SettingType<number | null> = {
  placeholder: 'TIME|off',
  expected: "a duration such as 500ms, 5s or 2m, or 'off'",
  read(found) {
    if (found === 'off' || found === false || found === null) return null
    const ms = duration.read(found)
    return ms === 0 ? null : ms
  },
  show: value => (value === null ? 'off' : duration.show(value)),
}

/** Held in bytes; written 65536, '64KiB', '1MiB'. */
export const size: SettingType<number> = {
  placeholder: 'SIZE',
  expected: 'a size such as 65536, 64KiB or 1MiB',
  read: bytesOf,
  show: sizeText,
}

/** 'auto' is worked out by who needs it; 'off' is null, and so is 0. */
export const sizeOrAuto: SettingType<number | 'auto' | null> = {
  placeholder: 'SIZE|auto|off',
  expected: "a size such as 512MiB, 'auto' or 'off'",
  read(found) {
    if (found === 'auto') return 'auto'
    if (found === 'off' || found === false || found === null) return null
    const bytes = size.read(found)
    return bytes === 0 ? null : bytes
  },
  show: value => (value === null ? 'off' : value === 'auto' ? 'auto' : size.show(value)),
}

export function text(placeholder: string, expected: string): SettingType<string> {
  return {
    placeholder,
    expected,
    read: found => (typeof found === 'string' && found !== '' ? found : undefined),
    show: value => value,
  }
}

/** What stands before every path: no names, nothing to decode. */
export const pathPrefix: SettingType<string> = {
  placeholder: 'PATH',
  expected: "a path such as /api/v1: it starts with '/' and does not end with it",
  read: found => (typeof found === 'string' && /^(?:\/[\w.~!$&'()*+,;=:@-]+)+$/.test(found) ? found : undefined),
  show: value => value,
}

/** Several values: a comma list in text, an array in code. */
export function list(placeholder: string, expected: string): SettingType<readonly string[]> {
  return {
    placeholder,
    expected,
    read(found) {
      const parts: unknown[] = typeof found === 'string' ? found.split(',') : Array.isArray(found) ? found : []
      const texts = parts.filter(part => typeof part === 'string').map(part => part.trim())
      return texts.length > 0 && texts.length === parts.length && !texts.includes('') ? texts : undefined
    },
    show: values => values.join(','),
  }
}

/** As a list; 'none' is the empty one. */
function listOf<T extends string>(
  placeholder: string,
  expected: string,
  isOne: (text: string) => text is T,
): SettingType<readonly T[]> {
  const texts = list(placeholder, expected)
  return {
    placeholder,
    expected,
    read(found) {
      if (found === 'none' || (Array.isArray(found) && found.length === 0)) return []
      const values = texts.read(found)
      return values?.every(isOne) === true ? values : undefined
    },
    show: values => (values.length === 0 ? 'none' : values.join(',')),
  }
}

export const proxies: SettingType<readonly string[]> = listOf(
  'PROXIES',
  "addresses and networks such as 10.0.0.0/8, 'loopback' and 'unix', separated by commas, or 'none'",
  (text): text is string => isProxyName(text),
)

export const forwardedFields: SettingType<readonly ForwardedField[]> = listOf(
  'FIELDS',
  `some of ${FORWARDED_FIELDS.join(', ')}, separated by commas, or 'none'`,
  (text): text is ForwardedField => (FORWARDED_FIELDS as readonly string[]).includes(text),
)

export const onOrOff: SettingType<boolean> = {
  placeholder: 'on|off',
  expected: "'on' or 'off'",
  read: found => (found === 'on' || found === true ? true : found === 'off' || found === false ? false : undefined),
  show: value => (value ? 'on' : 'off'),
}

export function oneOf<const T extends string>(...names: readonly T[]): SettingType<T> {
  return {
    placeholder: names.join('|'),
    expected: `one of ${names.join(', ')}`,
    read: found => names.find(name => name === found),
    show: value => value,
  }
}

/** 'auto' is worked out by the process that it is for. */
export const countOrAuto: SettingType<number | 'auto'> = {
  placeholder: 'N|auto',
  expected: "a whole number, 1 or more, or 'auto'",
  read: found => (found === 'auto' ? 'auto' : wholeNumber(1).read(found)),
  show: String,
}

/** 'off' is null. */
export const countOrOff: SettingType<number | null> = {
  placeholder: 'N|off',
  expected: "a whole number, 1 or more, or 'off'",
  read: found => (found === 'off' || found === false || found === null ? null : wholeNumber(1).read(found)),
  show: value => (value === null ? 'off' : String(value)),
}

/** 'off' is null; so is 0, as gunicorn has it. */
export const requestsOrOff: SettingType<number | null> = {
  ...countOrOff,
  read: found => (found === 0 || found === '0' ? null : countOrOff.read(found)),
}

/** Of a file: 660, 0660 or, in code, 0o660. */
export const fileMode: SettingType<number> = {
  placeholder: 'MODE',
  expected: 'a mode in octal digits, such as 660',
  read(found) {
    const mode = typeof found === 'string' && /^0?[0-7]{3}$/.test(found) ? parseInt(found, 8) : found
    return typeof mode === 'number' && Number.isInteger(mode) && mode >= 0 && mode <= 0o777 ? mode : undefined
  },
  show: mode => mode.toString(8).padStart(3, '0'),
}

/** One that this process was started with; null is none. */
export const descriptor: SettingType<number | null> = {
  placeholder: 'N',
  expected: 'the number of a descriptor, 3 or more',
  read: found => (found === null ? null : wholeNumber(3, 65_535).read(found)),
  show: value => (value === null ? 'none' : String(value)),
}

/** 'auto' is chosen by the process that makes it; 'off' is null. */
export const pathOrAutoOrOff: SettingType<string | null> = {
  placeholder: 'PATH|auto|off',
  expected: "a path, 'auto' or 'off'",
  read: found =>
    found === 'off' || found === false || found === null
      ? null
      : typeof found === 'string' && found !== ''
        ? found
        : undefined,
  show: value => value ?? 'off',
}

/** A number of workers; 'auto' is as many as the processors this process may use. */
export function workerCount(available: () => number): SettingType<number> {
  const count = wholeNumber(1, 1024)
  return {
    placeholder: 'N|auto',
    expected: "a whole number from 1 to 1024, or 'auto'",
    read: found => (found === 'auto' ? available() : count.read(found)),
    show: String,
  }
}

export interface SocketAddress {
  readonly host: string
  readonly port: number
}

/** HOST:PORT, [::1]:PORT or a bare port on 127.0.0.1; 'off' is null. */
export const addressOrOff: SettingType<SocketAddress | null> = {
  placeholder: 'HOST:PORT|off',
  expected: "HOST:PORT, a port, or 'off'",
  read(found) {
    if (found === 'off' || found === false || found === null) return null
    const match = /^(?:(?:\[([0-9a-f:.]+)\]|([^\s:[\]]+)):)?(\d{1,5})$/i.exec(
      typeof found === 'number' ? String(found) : typeof found === 'string' ? found : '',
    )
    const port = wholeNumber(0, 65535).read(match?.[3])
    if (!match || port === undefined) return undefined
    if (match[1] !== undefined && isIP(match[1]) !== 6) return undefined
    return { host: match[1] ?? match[2] ?? '127.0.0.1', port }
  },
  show: value => (value === null ? 'off' : hostAndPort(value.host, value.port)),
}

/** An IPv6 address needs brackets before a port. */
export function hostAndPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
