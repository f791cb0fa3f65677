// Sizes as people write them: 65536, '64KiB', '1MiB'. A bare number is bytes.

const UNIT_BYTES: Readonly<Record<string, number>> = { b: 1, kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3 }

/** @returns undefined for what is no size */
export function bytesOf(found: unknown): number | undefined {
  if (typeof found === 'number') return Number.isSafeInteger(found) && found >= 0 ? found : undefined
  if (typeof found !== 'string') return undefined
  const match = /^(\d{1,12})\s*(b|kib|mib|gib)?$/i.exec(found)
  return match ? Number(match[1]) * UNIT_BYTES[(match[2] ?? 'b').toLowerCase()]! : undefined
}

/** In the largest unit that it is a whole number of. */
export function sizeText(bytes: number): string {
  if (bytes !== 0 && bytes % UNIT_BYTES['mib']! === 0) return `${bytes / UNIT_BYTES['mib']!}MiB`
  return bytes !== 0 && bytes % 1024 === 0 ? `${bytes / 1024}KiB` : String(bytes)
}
