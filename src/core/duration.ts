// Durations as people write them: `500`, '500ms', '2s', '5m', '1h', '7d'. A bare number is milliseconds.
import { UsageError } from './error.ts'

export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/**
 * @param where  'GET /a timeout', for what is thrown
 * @returns milliseconds, zero or more
 * @throws UsageError `CORE_BAD_DURATION` for anything that is not a finite, non-negative duration
 */
export function milliseconds(duration: Duration, where?: string): number {
  if (typeof duration === 'number') {
    if (Number.isFinite(duration) && duration >= 0) return duration
  } else {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(duration)
    if (match) return Number(match[1]) * (UNIT_MS[match[2]!] ?? 1)
  }
  throw new UsageError(
    'CORE_BAD_DURATION',
    `${where === undefined ? '' : `${where}: `}${JSON.stringify(duration)} is not a duration; write 500, '500ms', '2s', '5m', '1h' or '7d'`,
  )
}
