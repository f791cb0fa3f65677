// What is changed in a document: fields by what happens to them, their values by the schema.
import type { DocumentForm } from './document-form.ts'
import { UnsafeValueError, misuse } from './errors.ts'
import { literal, plainName } from './literal.ts'

type Item<T> = T extends readonly (infer E)[] | ReadonlySet<infer E> ? E : never
type Numbers<T> = { readonly [K in keyof T as NonNullable<T[K]> extends number | bigint ? K : never]?: T[K] }
type Lists<T> = {
  readonly [K in keyof T as NonNullable<T[K]> extends readonly any[] | ReadonlySet<any> ? K : never]?: Item<
    NonNullable<T[K]>
  >
}

/** T: the documents as handlers hold them. At least one field is named. */
export interface Update<T> {
  /** Validated by the schema of the field. */
  readonly set?: Partial<T>
  /** Only where an upsert makes the document. */
  readonly setOnInsert?: Partial<T>
  /** Of those without which a document fits its schema. */
  readonly unset?: readonly (keyof T)[]
  /** Adds to numbers: whole ones to whole ones. */
  readonly increment?: Numbers<T>
  /** Lowers a field to the value, unless it is lower already. */
  readonly min?: Partial<T>
  readonly max?: Partial<T>
  /** Adds one item to the end of a list, validated as one. */
  readonly push?: Lists<T>
  /** The same, unless the list has it. */
  readonly addToSet?: Lists<T>
  /** Takes all items that equal the value out of a list. */
  readonly pull?: Lists<T>
}

type Values = Readonly<Record<string, unknown>>

/**
 * @returns the driver's update
 * @throws UnsafeValueError, DocumentError; UsageError `MONGO_UPDATE` for nothing to change
 */
export function compileUpdate(update: Update<unknown>, form: DocumentForm): Record<string, Values> {
  const compiled: Record<string, Values> = {}
  const put = (name: string, values: unknown, convert: (field: string, value: unknown) => unknown) => {
    if (values === undefined) return
    if (typeof values !== 'object' || values === null) throw new UnsafeValueError(`${name}: expected { field: value }`)
    const changes: Record<string, unknown> = {}
    for (const [field, value] of Object.entries(values))
      if (value !== undefined) changes[plainName(field, name)] = convert(field, value)
    if (Object.keys(changes).length > 0) compiled[name] = changes
  }
  const { fields } = form
  const whole = (field: string, value: unknown) => fields.toStored(field, value)
  put('$set', update.set, whole)
  put('$setOnInsert', update.setOnInsert, whole)
  put('$min', update.min, whole)
  put('$max', update.max, whole)
  put('$inc', update.increment, (field, value) => fields.stepToStored(field, value))
  // $each and $pullAll take values; $push and $pull would take words of their own among them.
  put('$push', update.push, (field, value) => ({ $each: [fields.itemToStored(field, value)] }))
  put('$addToSet', update.addToSet, (field, value) => ({ $each: [fields.itemToStored(field, value)] }))
  put('$pullAll', update.pull, (field, value) => [literal(fields.sought(field)(value), `pull.${field}`)])
  if (update.unset !== undefined)
    put('$unset', Object.fromEntries((update.unset as readonly string[]).map(field => [field, ''])), field => {
      fields.removable(field)
      return ''
    })
  if (Object.keys(compiled).length === 0)
    throw misuse('MONGO_UPDATE', 'the update changes nothing: name a field in set, unset, increment, push, ...')
  return compiled
}
