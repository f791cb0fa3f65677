// A date in a field: the three forms that RFC 9110 §5.6.7 has every recipient take. Pure.

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

// 'Sun, 06 Nov 1994 08:49:37 GMT', and the two that are obsolete: 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'.
const FIXED = /^[A-Z][a-z]{2}, (?<day>\d\d) (?<month>[A-Z][a-z]{2}) (?<year>\d{4}) (?<time>\d\d:\d\d:\d\d) GMT$/
const RFC850 = /^[A-Z][a-z]{5,8}, (?<day>\d\d)-(?<month>[A-Z][a-z]{2})-(?<year>\d\d) (?<time>\d\d:\d\d:\d\d) GMT$/
const ASCTIME = /^[A-Z][a-z]{2} (?<month>[A-Z][a-z]{2}) (?<day>[ \d]\d) (?<time>\d\d:\d\d:\d\d) (?<year>\d{4})$/

/** @returns milliseconds since 1970, whole seconds; undefined for what is no such date */
export function parseDate(text: string, nowMs: number = Date.now()): number | undefined {
  const { groups } = FIXED.exec(text) ?? RFC850.exec(text) ?? ASCTIME.exec(text) ?? {}
  if (!groups) return undefined
  const { day, month, year, time } = groups as Record<'day' | 'month' | 'year' | 'time', string>
  const monthNumber = MONTHS.indexOf(month)
  const [hours, minutes, seconds] = time.split(':').map(Number) as [number, number, number]
  // 60 is a leap second.
  if (monthNumber < 0 || hours > 23 || minutes > 59 || seconds > 60) return undefined
  const fullYear = year.length === 2 ? nearYear(Number(year), nowMs) : Number(year)
  const date = new Date(0)
  date.setUTCFullYear(fullYear, monthNumber, Number(day))
  // The 31st of a short month would be a day of the next.
  if (date.getUTCMonth() !== monthNumber || date.getUTCDate() !== Number(day)) return undefined
  return date.setUTCHours(hours, minutes, seconds)
}

/** Two digits mean the year that is not more than 50 years ahead. */
function nearYear(digits: number, nowMs: number): number {
  const thisYear = new Date(nowMs).getUTCFullYear()
  const year = thisYear - (thisYear % 100) + digits
  return year > thisYear + 50 ? year - 100 : year
}
