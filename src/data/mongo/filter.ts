// What documents are looked for by: plain values, which are always literal, and operators, which only code can make.
//
//   { email: body.email }                       equals, whatever body.email holds; `{ "$ne": null }` is refused
//   { rating: is.gte(3), status: is.in([...]) } operators are objects of a class, and no JSON becomes one
//   all({ shop: 7 }, any({ rating: 5 }, where('author.country', 'AT')))
//
// So a filter made of input cannot say more than its author let it say. What this does not cover is `trusted`, for the author alone.
import { UnsafeValueError, misuse } from './errors.ts'
import { literal, plainName } from './literal.ts'

/** A comparison, made by `is`. T is what it compares. */
export class Operator<T = unknown> {
  declare readonly '~compares': T
  readonly #make: (convert: Convert, where: string) => unknown

  /** Use `is`. */
  constructor(make: (convert: Convert, where: string) => unknown) {
    this.#make = make
  }

  static compile(operator: Operator, convert: Convert, where: string): unknown {
    return operator.#make(convert, where)
  }
}

/** A condition on whole documents, made by `all`, `any`, `none`, `where` and `trusted`. */
export class Condition {
  readonly #make: (sought: Sought) => Record<string, unknown>

  /** Use `all`, `any`, `none`, `where` or `trusted`. */
  constructor(make: (sought: Sought) => Record<string, unknown>) {
    this.#make = make
  }

  static compile(condition: Condition, sought: Sought): Record<string, unknown> {
    return condition.#make(sought)
  }
}

/** Turns a value into what stands for it in the database: the text of an id into an ObjectId, a codec's output into its input. */
export type Convert = (value: unknown) => unknown

/** How the values of a field are turned, by its name or path. */
export type Sought = (path: string) => Convert

type Element<T> = T extends readonly (infer E)[] | ReadonlySet<infer E> ? E : never
/** A field that holds a list matches by one of its items too, as in MongoDB. */
type Wanted<T> = T | Element<T> | Operator<NonNullable<T>> | Operator<NonNullable<Element<T>>> | Operator<null>

/** T: the documents as handlers hold them. */
export type Filter<T> = { readonly [K in keyof T]?: Wanted<T[K]> } | Condition

/** Of documents that only the collection knows. */
type AnyFilter = Readonly<Record<string, unknown>> | Condition

function operator<T>(name: string, operand: unknown): Operator<T> {
  return new Operator((convert, where) => ({ [name]: literal(convert(operand), where) }))
}

function listOperator<T>(name: string, operands: readonly unknown[]): Operator<T> {
  return new Operator((convert, where) => {
    if (!Array.isArray(operands)) throw new UnsafeValueError(`${where}: expected a list`)
    return { [name]: operands.map(operand => literal(convert(operand), where)) }
  })
}

/** The comparisons. Their operands are literal, as plain values are. */
export const is = {
  eq: <T>(value: T): Operator<NonNullable<T>> => operator('$eq', value),
  ne: <T>(value: T): Operator<NonNullable<T>> => operator('$ne', value),
  gt: <T>(value: T): Operator<T> => operator('$gt', value),
  gte: <T>(value: T): Operator<T> => operator('$gte', value),
  lt: <T>(value: T): Operator<T> => operator('$lt', value),
  lte: <T>(value: T): Operator<T> => operator('$lte', value),
  in: <T>(values: readonly T[]): Operator<NonNullable<T>> => listOperator('$in', values),
  notIn: <T>(values: readonly T[]): Operator<NonNullable<T>> => listOperator('$nin', values),
  /** `from` inclusive, `to` exclusive. */
  between: <T>(from: T, to: T): Operator<T> =>
    new Operator((convert, where) => ({ $gte: literal(convert(from), where), $lt: literal(convert(to), where) })),
  /** The field is there, also where it holds null. */
  present: (): Operator<any> => operator('$exists', true),
  absent: (): Operator<any> => operator('$exists', false),
  /** The text begins so; an index helps. What is special in regular expressions is taken as it is. */
  startingWith: (text: string): Operator<string> =>
    new Operator((_, where) => {
      if (typeof text !== 'string') throw new UnsafeValueError(`${where}: expected a text to begin with`)
      return { $regex: `^${text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')}` }
    }),
  /** A regular expression of the author's; one of a client's can keep the server busy for very long. */
  matching: (pattern: RegExp): Operator<string> =>
    new Operator(() => {
      if (!(pattern instanceof RegExp)) throw misuse('MONGO_FILTER', 'is.matching takes a RegExp, written in code')
      return { $regex: pattern }
    }),
} as const

/** All of these hold. */
export function all(...filters: readonly AnyFilter[]): Condition {
  return combined('$and', filters)
}

/** At least one of these holds. */
export function any(...filters: readonly AnyFilter[]): Condition {
  return combined('$or', filters)
}

/** None of these holds. */
export function none(...filters: readonly AnyFilter[]): Condition {
  return combined('$nor', filters)
}

function combined(name: string, filters: readonly AnyFilter[]): Condition {
  if (filters.length === 0) throw misuse('MONGO_FILTER', `${name.slice(1)} needs at least one condition`)
  return new Condition(sought => ({ [name]: filters.map(filter => compileFilter(filter, sought)) }))
}

/** A condition on a field inside others: `where('author.country', 'AT')`. The path is code's, not the client's. */
export function where(path: string, value: unknown): Condition {
  const names = path.split('.')
  if (names.includes('')) throw misuse('MONGO_FILTER', `the path ${JSON.stringify(path)} has an empty step`)
  for (const name of names) plainName(name, 'where')
  return new Condition(sought => ({ [path]: compileValue(value, sought(path), path) }))
}

/** A filter in MongoDB's own words, for what the rest cannot say. It is sent as it is: never put input into it. */
export function trusted(filter: Readonly<Record<string, unknown>>): Condition {
  return new Condition(() => ({ ...filter }))
}

/**
 * @param sought  how the values of each field are looked for
 * @returns the driver's filter, every value of it under an operator of ours
 * @throws UnsafeValueError `MONGO_UNSAFE_VALUE`, 422
 */
export function compileFilter(filter: Filter<unknown> | AnyFilter, sought: Sought): Record<string, unknown> {
  if (filter instanceof Condition) return Condition.compile(filter, sought)
  const prototype: unknown = typeof filter === 'object' && filter !== null ? Object.getPrototypeOf(filter) : undefined
  if (prototype !== Object.prototype && !(prototype === null && filter))
    throw new UnsafeValueError('the filter is no plain object; expected { field: value } or a condition')
  const compiled: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(filter as Record<string, unknown>)) {
    plainName(name, 'the filter')
    // Left out, a condition would not hold nothing but everything: a forgotten id would be every document.
    if (value === undefined)
      throw new UnsafeValueError(`filter.${name} is undefined; leave the field out, or look for null`)
    compiled[name] = compileValue(value, sought(name), `filter.${name}`)
  }
  return compiled
}

function compileValue(value: unknown, convert: Convert, where: string): unknown {
  return value instanceof Operator ? Operator.compile(value, convert, where) : { $eq: literal(convert(value), where) }
}
