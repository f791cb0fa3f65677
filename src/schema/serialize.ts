// From what a handler returned to the JSON text of its response. What the schema does not declare never leaves.
//
// A schema is described at start, which finds what is wrong with it, and compiled by the first value: many routes are never asked. What somebody
// wrote as JSON Schema is compiled at start.
//
// Two steps: what is declared is copied (pick.ts), JSON.stringify writes the copy. copy-keys.ts has the figures that chose this.
import { UsageError } from '../core/error.ts'
import { ResponseError } from './errors.ts'
import { type Described, describe } from './json-schema.ts'
import { Failed } from './outcome.ts'
import { misfit, MISFIT, type Pick } from './misfit.ts'
import { compilePick } from './pick.ts'
import { kindOf, type Schema } from './schema.ts'
import { compileValidator } from './validator.ts'
import { isCodec, someInside, zodCore, type ZodSchema } from './zod-library.ts'
import { saysMore } from './zod-nodes.ts'

export interface Encoder {
  /**
   * @returns JSON text, without undeclared keys at any depth
   * @throws ResponseError `SCHEMA_BAD_RESPONSE`, 500: a required key is missing, a value is of another type, a number is not finite
   */
  encode(value: unknown): string
}

/**
 * @param where  'GET /orders/{id} returns 200', for messages
 * @param finish  what is done to the JSON value before it is written
 * @throws UsageError for a schema that cannot be described, or one-way transforms, naming the route and the place
 */
export function compileResponse(schema: Schema, where: string, finish?: (json: unknown) => unknown): Encoder {
  const described = describe(schema, 'output', where)
  if (mayNotCompile(schema)) compileNow(described, where)
  return new OnFirstUse(() => {
    const prepare = preparation(schema, described, where)
    const picked = pickOf(described)
    const pick = finish ? finished(picked, finish) : picked
    return prepare ? value => write(pick, prepare(value), where) : value => write(pick, value, where)
  })
}

/** As its author wrote it, a JSON Schema may hold what only compiling stumbles over. A Zod schema may hold some of one in its metadata. */
function mayNotCompile(schema: Schema): boolean {
  if (kindOf(schema) !== 'zod') return true
  const { globalRegistry } = zodCore()
  return someInside(schema as unknown as ZodSchema, one => saysMore(globalRegistry.get(one)))
}

function compileNow(described: Described, where: string): void {
  try {
    pickOf(described)
  } catch (cause) {
    throw new UsageError('SCHEMA_NOT_A_SCHEMA', `${where}: not a valid JSON Schema: ${(cause as Error).message}`, {
      cause,
    })
  }
}

/** What the first value compiles takes its own place: the values after it call that and nothing besides. */
class OnFirstUse implements Encoder {
  encode: Encoder['encode'] = encodeFirst
  readonly #compile: () => Encoder['encode']

  constructor(compile: () => Encoder['encode']) {
    this.#compile = compile
  }

  compile(): Encoder['encode'] {
    return (this.encode = this.#compile())
  }
}

/** The same for all: an encoder that is never asked keeps no function of its own for it. */
function encodeFirst(this: OnFirstUse, value: unknown): string {
  return this.compile()(value)
}

const picks = new WeakMap<Described, Pick>()

/** Routes with the same schema have the same. */
function pickOf(described: Described): Pick {
  let pick = picks.get(described)
  if (!pick) picks.set(described, (pick = compilePick(described)))
  return pick
}

function finished(pick: Pick, finish: (json: unknown) => unknown): Pick {
  return value => {
    const picked = pick(value)
    return picked === MISFIT ? picked : finish(picked)
  }
}

function write(pick: Pick, value: unknown, where: string): string {
  const picked = pick(value)
  if (picked === MISFIT) throw new ResponseError(`${where}: ${misfitText()}`)
  try {
    // undefined where anything may be returned: a handler without a return says null.
    return JSON.stringify(picked) ?? 'null'
  } catch (cause) {
    throw new ResponseError(`${where}: the returned value has no JSON form: ${(cause as Error).message}`, cause)
  }
}

function misfitText(): string {
  const at = misfit.path.length > 0 ? `${misfit.path.join('.')} ` : ''
  return `the handler returned a value that its route does not declare: ${at}should be ${misfit.expected}, found ${kindOfValue(misfit.found)}`
}

/** The kind only, never the value: what is in a response may be secret, and this goes to the log. */
function kindOfValue(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object') return `an object of ${value.constructor?.name ?? 'no class'}`
  return typeof value === 'number' ? String(value) : `a ${typeof value}`
}

/** What must happen before picking: codecs are encoded; a schema that gives no JSON Schema validates, and so strips, itself. */
function preparation(
  schema: Schema,
  described: { readonly schema: object },
  where: string,
): ((value: unknown) => unknown) | undefined {
  if (kindOf(schema) === 'zod') {
    const zod = schema as unknown as ZodSchema
    return someInside(zod, isCodec) ? encodeCodecs(zod, where) : undefined
  }
  if (kindOf(schema) !== 'standard' || Object.keys(described.schema).length > 0) return undefined
  const validate = compileValidator(schema, { schema: {}, components: {} }, where)
  return value => {
    const outcome = validate(value)
    if (outcome instanceof Promise)
      throw new UsageError('SCHEMA_ASYNC_RESPONSE', `${where}: a response cannot be validated asynchronously`)
    if (outcome instanceof Failed)
      throw new ResponseError(
        `${where}: ${outcome.found.map(found => `${found.path.join('.')} ${found.msg}`).join('; ')}`,
      )
    return outcome
  }
}

function encodeCodecs(schema: ZodSchema, where: string): (value: unknown) => unknown {
  const core = zodCore()
  return value => {
    let result
    try {
      result = schema._zod.run({ value, issues: [] }, { async: false, direction: 'backward' })
    } catch (cause) {
      throw new ResponseError(`${where}: the returned value cannot be encoded: ${(cause as Error).message}`, cause)
    }
    if (result instanceof Promise) throw new ResponseError(`${where}: asynchronous codecs cannot encode responses`)
    if (result.issues.length === 0) return result.value
    const [first] = result.issues
    const message = core.util.finalizeIssue(first!, {}, core.config()).message
    throw new ResponseError(
      `${where}: the returned value cannot be encoded: ${(first!.path ?? []).map(String).join('.')} ${message}`,
    )
  }
}
