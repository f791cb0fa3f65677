// Which variant of a file a client gets, of those that were compressed before and lie beside it.
import type { FieldLines } from '../http/exchange.ts'
import { type Coding, wishesOf } from './accept-encoding.ts'
import type { OpenedFile } from './opened-file.ts'

const ENDINGS: Readonly<Record<Coding, string>> = { zstd: '.zst', br: '.br', gzip: '.gz' }
// As tools make them, at their highest levels: br is the smallest. What a client likes as much is settled by this order.
const ALL: readonly Coding[] = ['br', 'zstd', 'gzip']

// A copy of a folder gives its files new times, in any order: a variant may be this much older than what it was made from. As long as a
// file's tag is weak, so that nothing rests on an older one (see file.ts).
const COPIED_NS = 2_000_000_000n

export interface Variant {
  readonly coding: Coding
  readonly opened: OpenedFile
}

/**
 * @param codings  true: all
 * @returns undefined where there is none that the client wants, or where the file was changed after it was made
 */
export async function variantOf(
  file: OpenedFile,
  fields: FieldLines,
  codings: true | readonly Coding[],
): Promise<Variant | undefined> {
  for (const coding of wishesOf(fields.get('accept-encoding'), codings === true ? ALL : codings)) {
    const opened = await file.beside(ENDINGS[coding])
    if (opened === undefined) continue
    if (opened.modifiedNs >= file.modifiedNs - COPIED_NS) return { coding, opened }
    await opened.close()
  }
  return undefined
}
