// Copies an object's declared keys into a new object: the innermost loop of every response.
//
// The copy is generated code where that is allowed, because only then each key has its own place in it where V8 remembers the
// shape of objects; a loop over names is looked up afresh each time and takes two to three times as long. Key names enter the text as JSON
// string literals and nothing else does. Under --disallow-code-generation-from-strings the loop does the same.
//
// Measured to the bytes that leave (ns, Node 26; JSON.stringify of the whole object without any filter for comparison):
//
//                        loop, stringify   generated, stringify   fast-json-stringify   unfiltered
//   1 key                            150                    122                   199          150
//   4 keys                           672                    345                   343          325
//   nested, 3 items                 2750                   1696                  1647         1419
//   list of 50                     13900                   7200                  9880         6500
//   list of 1000                  268000                 142000                197000       125000
//
// A serializer that builds the text itself wins while it is text, and loses again when the many pieces become bytes.
import { MISFIT, missUnder, missing, type Pick } from './misfit.ts'

export interface Key {
  readonly name: string
  readonly isRequired: boolean
  readonly pick: Pick
}

/** A key that may be absent is there with undefined, so that all copies have one shape; JSON.stringify leaves it out. */
export type CopyKeys = (value: Readonly<Record<string, unknown>>) => Record<string, unknown> | typeof MISFIT

// 128: more keys than V8 keeps in fast objects made by a literal; such objects gain nothing.
const MAX_GENERATED_KEYS = 128

export function compileCopy(keys: readonly Key[], mayGenerate = true): CopyKeys {
  if (!mayGenerate || keys.length > MAX_GENERATED_KEYS) return loopedCopy(keys)
  try {
    return generatedCopy(keys)
  } catch (error) {
    // What Node throws where code generation is not allowed.
    if (error instanceof EvalError) return loopedCopy(keys)
    throw error
  }
}

/** What every object has from its prototype ("constructor") counts only as its own; of others, getters of a class count too. */
function isInherited(name: string): boolean {
  return name in Object.prototype
}

function loopedCopy(keys: readonly Key[]): CopyKeys {
  const hasOddKey = keys.some(key => key.name === '__proto__')
  return value => {
    const out: Record<string, unknown> = hasOddKey ? (Object.create(null) as Record<string, unknown>) : {}
    for (let n = 0; n < keys.length; n++) {
      const { name, isRequired, pick } = keys[n]!
      const field = isInherited(name) && !Object.hasOwn(value, name) ? undefined : value[name]
      if (field === undefined) {
        if (isRequired) return missing(name)
        continue
      }
      const picked = pick(field)
      if (picked === MISFIT) return missUnder(name)
      out[name] = picked
    }
    return out
  }
}

function generatedCopy(keys: readonly Key[]): CopyKeys {
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the reason is at the top of this file
  const make = new Function('picks', 'MISFIT', 'missing', 'missUnder', copySource(keys)) as (
    ...given: unknown[]
  ) => CopyKeys
  return make(
    keys.map(key => key.pick),
    MISFIT,
    missing,
    missUnder,
  )
}

/** The body of a function that makes the copy. Exported for its snapshot test. */
export function copySource(keys: readonly Omit<Key, 'pick'>[]): string {
  const names = keys.map(key => JSON.stringify(key.name))
  const lines = keys.flatMap(({ name, isRequired }, n) => [
    `  const v${n} = ${isInherited(name) ? `!Object.hasOwn(value, ${names[n]}) ? undefined : ` : ''}value[${names[n]}]; let c${n}`,
    `  if (v${n} !== undefined) { c${n} = p${n}(v${n}); if (c${n} === MISFIT) return missUnder(${names[n]}) }`,
    ...(isRequired ? [`  else return missing(${names[n]})`] : []),
  ])
  return [
    ...keys.map((_, n) => `const p${n} = picks[${n}]`),
    'return value => {',
    ...lines,
    // In brackets "__proto__" is a key like any other; without them it would be the prototype.
    `  return { ${names.map((name, n) => `${name === '"__proto__"' ? '["__proto__"]' : name}: c${n}`).join(', ')} }`,
    '}',
  ].join('\n')
}
