// RFC 3339 date-times, strictly: what a Date travels as.

const DATE_TIME =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/

/**
 * @returns undefined for anything else. An offset is asked for, because a time without one means another moment on each server;
 *   days that a month has not (30 February) are refused, where `new Date` would move on to the next month.
 */
export function parseDateTime(text: string): Date | undefined {
  const match = DATE_TIME.exec(text)
  if (!match) return undefined
  const [, year, month, day] = match.map(Number) as [number, number, number, number]
  if (month < 1 || month > 12 || day < 1 || day > new Date(Date.UTC(year, month, 0)).getUTCDate()) return undefined
  const date = new Date(text.replace(' ', 'T').toUpperCase())
  return Number.isNaN(date.getTime()) ? undefined : date
}
