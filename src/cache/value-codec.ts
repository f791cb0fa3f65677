// Values as bytes and back, for a second tier: plain data comes back as it was, and what would not is not handed over.
//
//   'J' JSON          null, booleans, texts, finite numbers, arrays and plain objects of them
//   'X' JSON, tagged  the same with undefined, NaN, infinities, -0, bigints, dates, maps, sets, bytes and objects without a prototype in
//                     between, each as an array that begins with a mark with which no other array begins
//   'B' bytes         a Uint8Array or Buffer, as it is
//
// An instance of a class, a function, a symbol and a value that contains itself cannot come back as they were: such a value stays in the worker
// that loaded it. Who reads trusts nothing: bytes from elsewhere may be cut, of another version or somebody else's.

export interface ValueCodec {
  /** @returns undefined for what would not come back as it is */
  encode(value: unknown): Uint8Array | undefined
  /** @throws anything for bytes that it has not made; never gives a value of another shape for them */
  decode(bytes: Uint8Array): unknown
}

const JSON_KIND = 'J'.charCodeAt(0)
const TAGGED_KIND = 'X'.charCodeAt(0)
const BYTES_KIND = 'B'.charCodeAt(0)
/** No text of people's begins so; an array that does is not handed over. */
const MARK = '\u0000millrace:'
/** Deeper values are not handed over: 64 as for bodies. */
const MAX_DEPTH = 64
/** Nor larger ones: some 5 ms of walking. It also ends the walk through a value whose parts stand in it again and again. */
const MAX_NODES = 200_000

interface Walk {
  depth: number
  left: number
}

export const valueCodec: ValueCodec = {
  encode(value) {
    if (value instanceof Uint8Array) {
      const isBuffer = value instanceof Buffer
      return isBuffer || value.constructor === Uint8Array
        ? Buffer.concat([KINDS.bytes[isBuffer ? 1 : 0], value])
        : undefined
    }
    try {
      const isPlain = isJson(value, { depth: 0, left: MAX_NODES })
      const text = JSON.stringify(isPlain ? value : tagged(value, { depth: 0, left: MAX_NODES }))
      return Buffer.from(`${isPlain ? 'J' : 'X'}${text}`)
    } catch (error) {
      if (error === NOT_PLAIN) return undefined
      throw error
    }
  },
  decode(bytes) {
    const kind = bytes[0]
    if (kind === BYTES_KIND) {
      const content = bytes.subarray(2)
      if (bytes[1] === 1) return Buffer.from(content)
      if (bytes[1] === 0) return Uint8Array.from(content)
    }
    if (kind !== JSON_KIND && kind !== TAGGED_KIND) throw new TypeError('these bytes hold no cached value')
    const read = JSON.parse(TEXT.decode(bytes.subarray(1))) as unknown
    return kind === JSON_KIND ? read : untagged(read)
  },
}

const TEXT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const KINDS = { bytes: [Buffer.of(BYTES_KIND, 0), Buffer.of(BYTES_KIND, 1)] } as const

const NOT_PLAIN: unknown = new TypeError('not plain data')

/** Whether JSON gives it back as it is. @throws NOT_PLAIN for what no encoding of ours does */
function isJson(value: unknown, walk: Walk): boolean {
  if (value === null) return true
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0)
    case 'undefined':
    case 'bigint':
      return false
    case 'object':
      break
    default:
      throw NOT_PLAIN
  }
  enter(walk)
  let isAll = true
  if (Array.isArray(value)) {
    checkArray(value)
    for (const element of value as unknown[]) isAll = isJson(element, walk) && isAll
  } else if (isPlainObject(value)) {
    for (const key of Object.keys(value)) isAll = isJson(value[key], walk) && isAll
  } else isAll = false
  walk.depth--
  return isAll
}

/** @throws NOT_PLAIN */
function tagged(value: unknown, walk: Walk): unknown {
  if (value === undefined) return [MARK, 'undefined']
  if (typeof value === 'bigint') return [MARK, 'bigint', String(value)]
  if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0)))
    return [MARK, 'number', Object.is(value, -0) ? '-0' : String(value)]
  if (typeof value === 'function' || typeof value === 'symbol') throw NOT_PLAIN
  if (typeof value !== 'object' || value === null) return value
  enter(walk)
  const made = taggedObject(value, walk)
  walk.depth--
  return made
}

function taggedObject(value: object, walk: Walk): unknown {
  if (Array.isArray(value)) {
    checkArray(value)
    return value.map(element => tagged(element, walk))
  }
  const made: unknown = Object.getPrototypeOf(value)
  // Asked of both kinds: it refuses what neither may have.
  if (isPlainObject(value) || made === null) {
    const fields = value as Record<string, unknown>
    const copy: Record<string, unknown> = {}
    for (const key of Object.keys(fields)) copy[key] = tagged(fields[key], walk)
    return made === null ? [MARK, 'bare', copy] : copy
  }
  if (made === Uint8Array.prototype) return [MARK, 'bytes', Buffer.from(value as Uint8Array).toString('base64')]
  if (made === Buffer.prototype) return [MARK, 'buffer', (value as Buffer).toString('base64')]
  // Fields of its own, as on an array, would be lost.
  if (Object.keys(value).length > 0) throw NOT_PLAIN
  if (made === Date.prototype) return [MARK, 'date', (value as Date).getTime()]
  if (made === Set.prototype) return [MARK, 'set', [...(value as Set<unknown>)].map(member => tagged(member, walk))]
  if (made === Map.prototype)
    return [MARK, 'map', [...(value as Map<unknown, unknown>)].map(pair => pair.map(part => tagged(part, walk)))]
  throw NOT_PLAIN
}

function enter(walk: Walk): void {
  if (++walk.depth > MAX_DEPTH || --walk.left < 0) throw NOT_PLAIN
}

function untagged(read: unknown): unknown {
  if (typeof read !== 'object' || read === null) return read
  if (!Array.isArray(read)) {
    const fields = read as Record<string, unknown>
    for (const key of Object.keys(fields)) fields[key] = untagged(fields[key])
    return fields
  }
  const [mark, kind, content] = read as unknown[]
  if (mark !== MARK) return read.map(untagged)
  switch (kind) {
    case 'undefined':
      return undefined
    case 'bigint':
      return BigInt(content as string)
    case 'number':
      return Number(content)
    case 'date':
      return new Date((content as number | null) ?? NaN)
    case 'map':
      return new Map((content as [unknown, unknown][]).map(([key, held]) => [untagged(key), untagged(held)]))
    case 'bare':
      return Object.assign(Object.create(null) as object, untagged(content))
    case 'set':
      return new Set((content as unknown[]).map(untagged))
    case 'bytes':
      return Uint8Array.from(Buffer.from(content as string, 'base64'))
    case 'buffer':
      return Buffer.from(content as string, 'base64')
    default:
      throw new TypeError('these bytes hold no cached value')
  }
}

/** Has no holes, which JSON fills with null, no fields of its own, and not our mark. @throws NOT_PLAIN */
function checkArray(value: readonly unknown[]): void {
  const isPlain = Object.getPrototypeOf(value) === Array.prototype && Object.keys(value).length === value.length
  if (!isPlain || value[0] === MARK) throw NOT_PLAIN
}

// A toJSON would have JSON.stringify write something else, and an own __proto__ is one that nobody should pass on.
function isPlainObject(value: object): value is Record<string, unknown> {
  const made: unknown = Object.getPrototypeOf(value)
  if (made === null || made === Object.prototype) {
    if ('toJSON' in value || Object.hasOwn(value, '__proto__') || Object.getOwnPropertySymbols(value).length > 0)
      throw NOT_PLAIN
  }
  return made === Object.prototype
}
