// Whether a client has what it asks for already: If-Match, If-None-Match and their dates, in the order of RFC 9110 §13.2.2. Pure.
import type { FieldLines } from '../http/exchange.ts'
import { parseDate } from './date-field.ts'

/** What tells one state of a resource from another. */
export interface Validators {
  /** With its quotes, and with W/ when it is weak. */
  readonly etag?: string | undefined
  /** Milliseconds since 1970; compared in whole seconds, as a field carries it. */
  readonly modifiedMs?: number | undefined
  /** It cannot have changed again within the same second, so that equal dates mean equal bytes (§8.8.2.2). */
  readonly isDateStrong?: boolean
}

/** 'proceed': answer as if it had asked for nothing of the kind. */
export type Verdict = 'proceed' | 304 | 412

/** For a resource that exists. */
export function judge(method: string, fields: FieldLines, validators: Validators): Verdict {
  const isRead = method === 'GET' || method === 'HEAD'
  const ifMatch = fields.get('if-match')
  if (ifMatch !== undefined) {
    if (!isListed(ifMatch, validators.etag, areSame)) return 412
  } else if (isModifiedSince(fields.get('if-unmodified-since'), validators) === true) return 412
  const ifNoneMatch = fields.get('if-none-match')
  if (ifNoneMatch !== undefined) {
    if (isListed(ifNoneMatch, validators.etag, areAlike)) return isRead ? 304 : 412
  } else if (isRead && isModifiedSince(fields.get('if-modified-since'), validators) === false) return 304
  return 'proceed'
}

/** If-Range (§13.1.5): the part that the client asks for belongs to the bytes it has. True where it does not ask. */
export function isRangeWanted(fields: FieldLines, { etag, modifiedMs, isDateStrong }: Validators): boolean {
  const ifRange = fields.get('if-range')
  if (ifRange === undefined) return true
  if (/^(?:W\/)?"/.test(ifRange)) return etag !== undefined && areSame(ifRange, etag)
  return isDateStrong === true && modifiedMs !== undefined && parseDate(ifRange) === wholeSeconds(modifiedMs)
}

/** The tag in the form for bytes that only mean the same (§8.8.1). */
export function weak(etag: string): string {
  return etag.startsWith('W/') ? etag : `W/${etag}`
}

// §8.8.3.2: strong comparison for who means these bytes, weak for who means this content.
function areSame(one: string, other: string): boolean {
  return one === other && !one.startsWith('W/')
}

function areAlike(one: string, other: string): boolean {
  return weak(one) === weak(other)
}

const TAG = /[ \t,]*((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?=,|$)/y

/** What is malformed matches nothing, nor does what comes behind it. */
function isListed(field: string, etag: string | undefined, areEqual: (one: string, other: string) => boolean): boolean {
  if (field === '*') return true
  if (etag === undefined) return false
  TAG.lastIndex = 0
  for (let found = TAG.exec(field); found; found = TAG.exec(field)) if (areEqual(found[1]!, etag)) return true
  return false
}

/** undefined: there is no such field, or it holds no date, or there is none to compare it with. */
function isModifiedSince(field: string | undefined, { modifiedMs }: Validators): boolean | undefined {
  const sinceMs = field === undefined || modifiedMs === undefined ? undefined : parseDate(field)
  return sinceMs === undefined ? undefined : wholeSeconds(modifiedMs!) > sinceMs
}

function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1000) * 1000
}

/** Of a 200, those that its 304 has: what describes a body goes with it (RFC 9110 §15.4.5); where it is, and how it may be used, stays. */
export function unmodifiedFields(fields: readonly string[]): string[] {
  return fields.filter((_, n) => {
    const name = fields[n - (n % 2)]!.toLowerCase()
    return !name.startsWith('content-') || name === 'content-location' || name.startsWith('content-security-policy')
  })
}
