// Validates plain JSON Schema and TypeBox by ajv, and tells its errors in Pydantic's names.
import { createRequire } from 'node:module'
import type { Ajv2020, ErrorObject, ValidateFunction } from 'ajv/dist/2020.js'
import { UsageError } from '../core/error.ts'
import type { Described } from './described.ts'
import { isOfMailLength } from './mail-length.ts'
import { Failed, type Found, type Outcome } from './outcome.ts'
import {
  badFormat,
  badPattern,
  broken,
  extra,
  missing,
  notAmong,
  notMultiple,
  tooBig,
  tooSmall,
  wrongType,
} from './rules.ts'
import { isSureToCompile } from './sure-to-compile.ts'

type AddFormats = (ajv: Ajv2020) => void

let shared: Ajv2020 | undefined

/** Loaded when the first JSON Schema is met: 30 ms that applications with Zod do not pay. */
function ajv(): Ajv2020 {
  if (shared) return shared
  const require = createRequire(import.meta.url)
  const { Ajv2020: Ajv } = require('ajv/dist/2020.js') as { Ajv2020: typeof Ajv2020 }
  const addFormats = require('ajv-formats') as AddFormats & { default?: AddFormats }
  // strict off: OpenAPI adds keywords (example, xml, discriminator) that a validator does not know.
  // useDefaults: what `default` says arrives in handlers. verbose: errors carry the value and the rule, both needed below.
  // ownProperties: a declared key named "constructor" is otherwise found on every object's prototype.
  shared = new Ajv({
    allErrors: true,
    strict: false,
    allowUnionTypes: true,
    useDefaults: true,
    verbose: true,
    ownProperties: true,
    logger: false,
  })
  ;(addFormats.default ?? addFormats)(shared)
  const email = shared.formats['email'] as RegExp
  shared.addFormat('email', address => isOfMailLength(address) && email.test(address))
  return shared
}

const compiled = new WeakMap<Described, ValidateFunction>()

/** @throws UsageError `SCHEMA_NOT_A_SCHEMA` when the schema itself breaks the rules of JSON Schema */
export function refuseBrokenJson(described: Described, where: string): void {
  const parts = [described.schema, ...Object.values(described.components)]
  if (isSureToCompile(described) && parts.every(part => ajv().validateSchema(part) === true)) return
  compile(described, where)
}

/** @throws as `refuseBrokenJson`, which may be called before: for what it lets pass this does not */
export function jsonValidator(described: Described, where: string): (value: unknown) => Outcome {
  const validate = compile(described, where)
  // An absent value (no body) has no type: ajv would take undefined for anything.
  return value =>
    value === undefined
      ? new Failed([missing([])])
      : validate(value)
        ? value
        : new Failed(findings(validate.errors ?? [], value))
}

function compile(described: Described, where: string): ValidateFunction {
  const known = compiled.get(described)
  if (known) return known
  const { schema, components } = described
  try {
    // References are pointers into the document, so what they refer to goes where they look.
    const validate = ajv().compile({ ...schema, components: { schemas: components } })
    compiled.set(described, validate)
    return validate
  } catch (cause) {
    throw new UsageError('SCHEMA_NOT_A_SCHEMA', `${where}: not a valid JSON Schema: ${(cause as Error).message}`, {
      cause,
    })
  }
}

/**
 * ajv reports a union as the errors of each member, then one of its own. A member whose complaint is not about the value's very
 * type knows best; otherwise each is told. (The errors are recognised by coming before the union's own at the same place or below;
 * a rule that stands beside a union in the same schema is dropped with them, and told once the union is satisfied.)
 */
function findings(errors: readonly ErrorObject[], root: unknown): Found[] {
  const out: { found: Found; error: ErrorObject }[] = []
  for (const error of errors) {
    const path = pathOf(error.instancePath, root)
    if (error.keyword === 'anyOf' || error.keyword === 'oneOf') {
      const inside: typeof out = []
      while (out.length > 0 && isBelow(out[out.length - 1]!.error.instancePath, error.instancePath))
        inside.unshift(out.pop()!)
      out.push(...bestOf(inside, error, path))
    } else if (error.keyword !== 'if') out.push({ found: finding(error, path), error })
  }
  return out.map(({ found }) => found)
}

function isBelow(pointer: string, above: string): boolean {
  return pointer === above || pointer.startsWith(`${above}/`)
}

function bestOf(
  inside: readonly { found: Found; error: ErrorObject }[],
  union: ErrorObject,
  path: Found['path'],
): { found: Found; error: ErrorObject }[] {
  const isAboutType = ({ error }: { error: ErrorObject }) =>
    error.instancePath === union.instancePath && (error.keyword === 'type' || error.keyword === 'const')
  const literals = inside.filter(({ error }) => error.keyword === 'const' && error.instancePath === union.instancePath)
  // A union of literals is an enumeration.
  if (literals.length > 0 && inside.every(isAboutType))
    return [
      {
        found: notAmong(
          literals.map(({ error }) => (error.params as { allowedValue: unknown }).allowedValue),
          true,
          path,
          union.message ?? '',
        ),
        error: union,
      },
    ]
  const deeper = inside.filter(one => !isAboutType(one) && one.error.keyword !== 'const')
  const chosen = deeper.length > 0 ? deeper : inside
  if (chosen.length === 0) return [{ found: broken(path, messageOf(union)), error: union }]
  return chosen.filter(
    (one, n) =>
      chosen.findIndex(
        other => other.found.type === one.found.type && other.error.instancePath === one.error.instancePath,
      ) === n,
  )
}

function finding(error: ErrorObject, path: Found['path']): Found {
  const { keyword, data, params } = error as ErrorObject & { params: Record<string, any> }
  const msg = messageOf(error)
  switch (keyword) {
    case 'required':
    case 'dependentRequired':
      return missing([...path, params['missingProperty']])
    case 'additionalProperties':
      return extra([...path, params['additionalProperty']])
    case 'unevaluatedProperties':
      return extra([...path, params['unevaluatedProperty']])
    case 'type':
      return typeFinding(params['type'], data, path, msg)
    case 'enum':
      return notAmong(params['allowedValues'], false, path, msg)
    case 'const':
      return notAmong([params['allowedValue']], true, path, msg)
    case 'minimum':
    case 'exclusiveMinimum':
      return tooSmall('number', params['limit'], keyword === 'minimum', data, path, msg)
    case 'maximum':
    case 'exclusiveMaximum':
      return tooBig('number', params['limit'], keyword === 'maximum', data, path, msg)
    case 'multipleOf':
      return notMultiple(params['multipleOf'], path, msg)
    case 'minLength':
      return tooSmall('string', params['limit'], true, data, path, msg)
    case 'maxLength':
      return tooBig('string', params['limit'], true, data, path, msg)
    case 'minItems':
      if (isTuple(error)) return missing([...path, Array.isArray(data) ? data.length : 0])
      return tooSmall('array', params['limit'], true, data, path, msg)
    case 'maxItems':
      return tooBig(isTuple(error) ? 'tuple' : 'array', params['limit'], true, data, path, msg)
    case 'minProperties':
      return tooSmall('object', params['limit'], true, data, path, msg)
    case 'maxProperties':
      return tooBig('object', params['limit'], true, data, path, msg)
    case 'pattern':
      return badPattern(params['pattern'], path, msg)
    case 'format':
      return badFormat(params['format'], undefined, path, msg)
    default:
      return broken(path, msg)
  }
}

function isTuple({ parentSchema }: ErrorObject): boolean {
  return Array.isArray(parentSchema?.['prefixItems'])
}

function typeFinding(type: string | readonly string[], data: unknown, path: Found['path'], msg: string): Found {
  const [expected = ''] = (typeof type === 'string' ? type.split(',') : type).filter(one => one !== 'null')
  return wrongType(expected || 'null', data, path, msg)
}

function messageOf(error: ErrorObject): string {
  const text = error.message ?? 'is not valid'
  return `Invalid input: ${text}`
}

/** ajv gives a JSON pointer; whether digits in it are an index or a key is seen from the value they lead into. */
function pathOf(pointer: string, root: unknown): (string | number)[] {
  if (pointer === '') return []
  let at = root
  return pointer
    .slice(1)
    .split('/')
    .map(part => {
      const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
      const step = Array.isArray(at) ? Number(key) : key
      at = (at as Record<string | number, unknown> | undefined)?.[step]
      return step
    })
}
