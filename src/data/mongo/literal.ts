// Values on their way into MongoDB, copied: plain data only, and no name in it that the server would read as something else.
//
// A JSON body can hold an object where a text was meant, `{ "$ne": null }` for a password, and MongoDB would take it for an operator.
// It cannot hold what comes from code: dates, ids, the driver's own types, and the operators of filter.ts, which are told by their class.
//
//   refused anywhere inside        because
//   a name that begins with $      an operator to the server
//   a name with a dot              a path to the server
//   a name with NUL                ends the name in BSON
//   __proto__                      what reads it may set a prototype by it
//   _bsontype                      the driver's mark for its own types
//   Map, functions, symbols        they have no form, or one that nobody expects
//   more than 100 levels           MongoDB's own limit; and what holds itself
//   a Date of no time              the driver makes 1970 of it
//   whole numbers over 64 bits     the driver cuts them off
import { UnsafeValueError } from './errors.ts'

const DEEPEST = 100

/**
 * @param where  'filter.email', for messages
 * @returns a copy without undefined keys, Sets as arrays
 * @throws UnsafeValueError `MONGO_UNSAFE_VALUE`, 422
 */
export function literal(value: unknown, where: string, depth = 0): unknown {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
    case 'undefined':
      return value
    case 'bigint':
      if (BigInt.asIntN(64, value) === value) return value
      throw new UnsafeValueError(`${where} is a whole number of more than 64 bits, which MongoDB does not hold`)
    case 'object':
      return value === null ? null : literalObject(value, where, depth)
    default:
      throw new UnsafeValueError(`${where} is a ${typeof value}, which cannot be stored or searched for`)
  }
}

/** @throws UnsafeValueError for what is no plain name of a field */
export function plainName(name: string, where: string): string {
  const why = faultOf(name)
  if (why !== undefined) throw new UnsafeValueError(`${where} has a field ${JSON.stringify(name)}: ${why}`)
  return name
}

function literalObject(value: object, where: string, depth: number): unknown {
  if (depth > DEEPEST) throw new UnsafeValueError(`${where} is more than ${DEEPEST} levels deep`)
  if (value instanceof Date && Number.isNaN(value.getTime()))
    throw new UnsafeValueError(`${where} is a Date of no time, which MongoDB would take for 1970`)
  if (value instanceof Date || value instanceof Uint8Array || isOfDriver(value)) return value
  if (Array.isArray(value)) return value.map(item => literal(item, where, depth + 1))
  if (value instanceof Set) return [...(value as Set<unknown>)].map(item => literal(item, where, depth + 1))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null)
    throw new UnsafeValueError(
      `${where} is an object of class ${value.constructor?.name ?? 'unknown'}; expected plain data, or an operator made by is`,
    )
  const copy: Record<string, unknown> = {}
  for (const [name, item] of Object.entries(value))
    if (item !== undefined) copy[plainName(name, where)] = literal(item, where, depth + 1)
  return copy
}

function faultOf(name: string): string | undefined {
  if (name.startsWith('$')) return 'MongoDB would read it as an operator'
  if (name.includes('.')) return 'MongoDB would read it as a path'
  if (name.includes('\0')) return 'no name holds NUL'
  if (name === '__proto__' || name === '_bsontype') return 'it has a meaning of its own'
  return undefined
}

/** ObjectId, Decimal128, Long, Binary, ...: they carry their mark on the prototype, where no JSON can put it. */
function isOfDriver(value: object): boolean {
  return '_bsontype' in value && !Object.hasOwn(value, '_bsontype')
}
