// Which bytes a Range field asks for, by RFC 9110 §14. Pure.
//
// One range is answered as a part. Several are answered with the whole, as §14.2 allows: no browser and no player asks for several, and
// answering them has let one small request cost a server many times its file (CVE-2011-3192).

export interface ByteRange {
  /** First byte, from 0. */
  readonly start: number
  /** At least 1. */
  readonly length: number
}

/**
 * @param field  Range, as it came
 * @param size  bytes of the whole; of nothing there is no part, so 0 is always answered whole
 * @returns 'whole' also for a field that is malformed or in another unit than bytes, which §14.2 says to ignore
 */
export function rangeOf(field: string | undefined, size: number): ByteRange | 'whole' | 'unsatisfiable' {
  if (field === undefined || size === 0) return 'whole'
  const [, first, last] = SINGLE.exec(field) ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return 'whole'
  if (first === '') {
    const length = Math.min(toNumber(last), size)
    return length === 0 ? 'unsatisfiable' : { start: size - length, length }
  }
  const start = toNumber(first)
  const end = last === '' ? Infinity : toNumber(last)
  if (end < start) return 'whole'
  if (start >= size) return 'unsatisfiable'
  return { start, length: Math.min(end, size - 1) - start + 1 }
}

/** Content-Range of a 206. */
export function contentRange({ start, length }: ByteRange, size: number): string {
  return `bytes ${start}-${start + length - 1}/${size}`
}

// A list of one: empty members before and after it are to be borne (§5.6.1.2).
const SINGLE = /^bytes=[ \t,]*(\d*)-(\d*)[ \t,]*$/i

/** Digits only; what is too large to count stays larger than any file. */
function toNumber(digits: string): number {
  let value = 0
  for (let n = 0; n < digits.length; n++)
    value = Math.min(value * 10 + digits.charCodeAt(n) - 48, Number.MAX_SAFE_INTEGER)
  return value
}
