// What `new App({ server })` says about requests, where no server reads it: inside somebody else's, under app.fetch, in tests.
//
// Connections, heads and keep-alive are the affair of whoever has the socket; what is left is the body of a request and its time. The names
// and forms are those of docs/reference/settings.md.
import { inspect } from 'node:util'
import { type Duration, milliseconds } from '../core/duration.ts'
import { UsageError } from '../core/error.ts'
import { bytesOf } from '../core/size.ts'
import { DEFAULT_LIMITS, type Limits } from '../http/limits.ts'

/** Of a body that comes by another way than our engine. */
export type BodyLimits = Pick<Limits, 'maxBodyBytes' | 'bodyMinBytesPerSecond' | 'minRateGraceMs'>

export interface OwnLimits {
  readonly requestTimeoutMs: number
  readonly body: BodyLimits
}

// As the row of the setting.
const REQUEST_TIMEOUT_MS = 30_000

/** @throws UsageError `CORE_BAD_DURATION`, `APP_BAD_SIZE` naming the setting */
export function ownLimits(server: Readonly<Record<string, unknown>>): OwnLimits {
  const time = (name: string, otherwise: number) =>
    server[name] === undefined ? otherwise : milliseconds(bare(server[name]) as Duration, `new App({ server }) ${name}`)
  const size = (name: string, otherwise: number) => {
    if (server[name] === undefined) return otherwise
    const bytes = bytesOf(server[name])
    if (bytes !== undefined) return bytes
    throw new UsageError(
      'APP_BAD_SIZE',
      `new App({ server }) ${name}: ${inspect(server[name])} is not a size; write 65536, '64KiB' or '1MiB'`,
    )
  }
  return {
    requestTimeoutMs: time('requestTimeout', REQUEST_TIMEOUT_MS),
    body: {
      maxBodyBytes: size('maxBody', DEFAULT_LIMITS.maxBodyBytes),
      bodyMinBytesPerSecond: size('minBodyRate', DEFAULT_LIMITS.bodyMinBytesPerSecond),
      minRateGraceMs: time('minRateGrace', DEFAULT_LIMITS.minRateGraceMs),
    },
  }
}

/** Digits alone are milliseconds, as in a setting. */
function bare(value: unknown): unknown {
  return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
}
