// Response fields as node:http2 wants them: an object, names in lower case, without those that speak of an HTTP/1 connection.
import { checkField, type FieldList, type PreparedHead } from './prepared-head.ts'

export type FieldObject = Record<string, string | number | string[]>

// RFC 9113 §8.2.2. The rest of them no handler can give at all (prepareHead); `te` is a request field, and node:http2 throws.
const NOT_SENT = new Set(['proxy-connection', 'http2-settings', 'te'])

// Fields that are one value: node:http2 refuses a second one before Node 24, so the last counts.
const SINGLE = new Set([
  'age',
  'content-encoding',
  'content-length',
  'content-location',
  'content-range',
  'content-type',
  'date',
  'etag',
  'expires',
  'last-modified',
  'location',
  'retry-after',
])

const prepared = new WeakMap<PreparedHead, FieldObject>()

/**
 * What is known of a head is looked up; the rest is put into a copy.
 *
 * @param more  as `exchange.send` takes it
 * @param length  Content-Length; undefined: none is sent
 * @throws UsageError `HTTP_BAD_FIELD`
 */
export function responseFields(
  head: PreparedHead,
  more: FieldList | undefined,
  length: number | undefined,
): FieldObject {
  let known = prepared.get(head)
  if (known === undefined) prepared.set(head, (known = { ':status': head.status, ...fieldObject(sentOf(head)) }))
  const fields = { ...known }
  if (length !== undefined) fields['content-length'] = length
  if (more !== undefined) addFields(fields, more)
  return fields
}

/** A 426 names in HTTP/1 what it wants; there is no such field here (RFC 9113 §8.2.2). */
function sentOf({ status, fields }: PreparedHead): FieldList {
  if (status !== 426) return fields
  const isSent = (at: number) => fields[at]!.toLowerCase() !== 'upgrade'
  return fields.filter((_, n) => isSent(n - (n % 2)))
}

export function fieldObject(list: FieldList): FieldObject {
  const fields: FieldObject = Object.create(null) as FieldObject
  addFields(fields, list)
  return fields
}

function addFields(fields: FieldObject, list: FieldList): void {
  for (let n = 0; n + 1 < list.length; n += 2) {
    const value = list[n + 1]!
    checkField(list[n]!, value)
    const name = list[n]!.toLowerCase()
    if (NOT_SENT.has(name)) continue
    const before = fields[name]
    // `before` may belong to the head: it is never changed.
    if (before === undefined || SINGLE.has(name)) fields[name] = value
    else fields[name] = Array.isArray(before) ? [...before, value] : [String(before), value]
  }
}
