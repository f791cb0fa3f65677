// Zod's issues in Pydantic's names.
import type { Found } from './outcome.ts'
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
  wrongScheme,
  wrongType,
  wrongVersion,
} from './rules.ts'
import { pydanticName } from './zod-names.ts'
import { zodCore, type ZodIssue, type ZodSchema } from './zod-library.ts'

type Path = readonly (string | number)[]

/** @param value  what was validated: issues inside unions no longer hold their input, so it is looked up */
export function zodFindings(issues: readonly ZodIssue[], value: unknown, tellsAll: boolean, base: Path = []): Found[] {
  return issues.flatMap(issue => findings(issue, value, tellsAll, base))
}

function findings(issue: ZodIssue, root: unknown, tellsAll: boolean, base: Path): Found[] {
  const path = issue.path && issue.path.length > 0 ? [...base, ...issue.path.map(step)] : base
  const input = 'input' in issue ? issue.input : inputAt(root, path)
  const msg = messageOf(issue)
  // JSON and text have no undefined: it can only stand for a key that is not there.
  if (
    input === undefined &&
    (issue.code === 'invalid_type' || issue.code === 'invalid_value' || issue.code === 'invalid_union') &&
    issue['discriminator'] === undefined
  )
    return [{ ...missing(path), ...ownMessage(issue, msg) }]
  switch (issue.code) {
    case 'invalid_type':
      return [wrongType(expectedType(issue), input, path, msg)]
    case 'too_small':
      if (isTuple(issue.inst)) return absent(issue['minimum'], input, path)
      return [tooSmall(issue['origin'], bound(issue['minimum'], issue), issue['inclusive'] !== false, input, path, msg)]
    case 'too_big':
      return [
        tooBig(
          isTuple(issue.inst) ? 'tuple' : issue['origin'],
          bound(issue['maximum'], issue),
          issue['inclusive'] !== false,
          input,
          path,
          msg,
        ),
      ]
    case 'not_multiple_of':
      return [notMultiple(issue['divisor'], path, msg)]
    case 'unrecognized_keys':
      return (issue['keys'] as string[]).map(key => extra([...path, key]))
    case 'invalid_value':
      return [notAmong(issue['values'], issue.inst?._zod.def.type !== 'enum', path, msg)]
    case 'invalid_format':
      return [formatFinding(issue, input, path, msg)]
    case 'invalid_union':
      return unionFindings(issue, root, tellsAll, path, msg)
    case 'invalid_key':
      return keyFindings(issue['issues'], issue.inst, tellsAll, path)
    default:
      return [broken(path, msg)]
  }
}

/** What the application says of a field that is not there: `z.string({ error: 'A name, please' })`. */
function ownMessage(issue: ZodIssue, msg: string): { readonly msg: string } | undefined {
  return issue.inst?._zod.def['error'] === undefined ? undefined : { msg }
}

/** What is wrong with a key stands where Pydantic puts it: one step below the key, named "[key]". */
function keyFindings(
  issues: readonly ZodIssue[],
  record: ZodSchema | undefined,
  tellsAll: boolean,
  path: Path,
): Found[] {
  const key = path[path.length - 1]
  const keys = record?._zod.def['keyType'] as ZodSchema | undefined
  return zodFindings(knowing(issues, keys), key, tellsAll).map(found => ({
    ...found,
    path: [...path, '[key]', ...found.path],
  }))
}

function step(key: PropertyKey): string | number {
  return typeof key === 'symbol' ? String(key) : key
}

function inputAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? (at as Record<string | number, unknown>)[key] : undefined),
    root,
  )
}

function messageOf(issue: ZodIssue): string {
  const core = zodCore()
  return typeof issue['message'] === 'string'
    ? issue['message']
    : core.util.finalizeIssue(issue, {}, core.config()).message
}

/** Zod says "number" for integers too, as long as the value is no number at all. */
function expectedType(issue: ZodIssue): string {
  const expected = issue['expected'] as string
  return expected === 'number' && isInteger(issue.inst) ? 'int' : expected
}

function isInteger(schema: ZodSchema | undefined): boolean {
  const def = schema?._zod.def
  return (
    isIntegerFormat(def?.['format']) || (def?.checks ?? []).some(check => isIntegerFormat(check._zod.def['format']))
  )
}

function isIntegerFormat(format: unknown): boolean {
  return typeof format === 'string' && format.includes('int')
}

/** Bounds of dates come as milliseconds, those of bigints as bigints: neither can be told in JSON as it is. */
function bound(value: unknown, issue: ZodIssue): number | string {
  if (issue['origin'] === 'date') return new Date(value as number | Date).toISOString().replace('.000Z', 'Z')
  return typeof value === 'bigint' ? String(value) : (value as number)
}

function formatFinding(issue: ZodIssue, input: unknown, path: Path, msg: string): Found {
  const { format, prefix, suffix, includes } = issue as {
    format?: string
    prefix?: string
    suffix?: string
    includes?: string
  }
  const special = typeof input === 'string' ? specialFormat(issue, input, path, msg) : undefined
  if (special) return special
  if (prefix !== undefined) return badPattern(`^${escaped(prefix)}`, path, msg)
  if (suffix !== undefined) return badPattern(`${escaped(suffix)}$`, path, msg)
  if (includes !== undefined) return badPattern(escaped(includes), path, msg)
  const pattern = typeof issue['pattern'] === 'string' ? issue['pattern'].replace(/^\/(.*)\/[a-z]*$/s, '$1') : undefined
  return badFormat(format ?? '', pattern, path, msg)
}

/** Formats that say more about themselves than that they were missed: the version of a UUID, the schemes of a URL. */
function specialFormat({ format, inst }: ZodIssue, input: string, path: Path, msg: string): Found | undefined {
  const version = /^v(\d)$/.exec(String(inst?._zod.def['version']))
  if (format === 'uuid' && version && ANY_UUID.test(input)) return wrongVersion(Number(version[1]), path, msg)
  const protocol = inst?._zod.def['protocol'] as unknown
  if (format === 'url' && protocol instanceof RegExp && URL.canParse(input)) {
    const scheme = new URL(input).protocol.slice(0, -1)
    if (!protocol.test(scheme)) return wrongScheme(protocol.source, path, msg)
  }
  return undefined
}
const ANY_UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

function isTuple(schema: ZodSchema | undefined): boolean {
  return schema?._zod.def.type === 'tuple'
}

/** A tuple that is too short lacks what stands at its end. */
function absent(length: number, input: unknown, path: Path): Found[] {
  const from = Array.isArray(input) ? input.length : 0
  return Array.from({ length: length - from }, (_, n) => missing([...path, from + n]))
}

/** Issues inside unions and keys no longer know the schema that they are about; it is found by their path. */
function knowing(issues: readonly ZodIssue[], schema: ZodSchema | undefined): readonly ZodIssue[] {
  if (!schema) return issues
  return issues.map(issue => {
    const inst = issue.inst ?? schemaAt(schema, issue.path ?? [])
    return inst ? { ...issue, inst } : issue
  })
}

function schemaAt(schema: ZodSchema, path: readonly PropertyKey[]): ZodSchema | undefined {
  const { def } = schema._zod
  if (def.type === 'lazy') return schemaAt((def['getter'] as () => ZodSchema)(), path)
  if (def['innerType']) return schemaAt(def['innerType'] as ZodSchema, path)
  if (def.type === 'pipe') return schemaAt(def['in'] as ZodSchema, path)
  const [step, ...rest] = path
  if (step === undefined) return schema
  const next =
    (def['shape'] as Record<PropertyKey, ZodSchema> | undefined)?.[step] ??
    (def['items'] as ZodSchema[] | undefined)?.[Number(step)] ??
    ((def['element'] ?? def['valueType'] ?? def['catchall'] ?? def['rest']) as ZodSchema | undefined)
  return next ? schemaAt(next, rest) : undefined
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

/**
 * A union says what its best member says. Members that refuse the value's very type know nothing about it; a member whose
 * literal differs was not meant. Where no member takes the type, each is told: the client learns all the choices.
 */
function unionFindings(issue: ZodIssue, root: unknown, tellsAll: boolean, path: Path, msg: string): Found[] {
  const members = (issue['errors'] ?? []) as readonly ZodIssue[][]
  const tag = issue['discriminator'] as string | undefined
  if (tag !== undefined && members.length === 0) {
    const owner = path[path.length - 1] === tag ? path.slice(0, -1) : path
    const found = inputAt(root, [...owner, tag])
    const quoted = `'${tag}'`
    if (found === undefined) return [{ type: 'union_tag_not_found', path: owner, msg, ctx: { discriminator: quoted } }]
    const expected = ((issue['options'] ?? []) as unknown[]).map(option => `'${String(option)}'`).join(', ')
    return [
      {
        type: 'union_tag_invalid',
        path: owner,
        msg,
        ctx: { discriminator: quoted, tag: printed(found), expected_tags: expected },
      },
    ]
  }
  if (members.length === 0) return [broken(path, msg)]
  if (tellsAll) return eachMember(members, issue.inst, root, path)
  const options = issue.inst?._zod.def['options'] as readonly ZodSchema[] | undefined
  const rated = members.map((issues, n) => ({ issues: knowing(issues, options?.[n]), rank: rank(issues) }))
  const best = Math.max(...rated.map(({ rank }) => rank))
  const candidates = rated.filter(({ rank }) => rank === best)
  if (best > 0) {
    const [chosen] = candidates.sort((a, b) => a.issues.length - b.issues.length)
    return zodFindings(chosen!.issues, root, false, path)
  }
  const all = candidates.flatMap(({ issues }) => zodFindings(issues, root, false, path))
  return all.filter(
    (found, n) => all.findIndex(other => other.type === found.type && other.path.length === found.path.length) === n,
  )
}

/** As Pydantic: one after the other, each under its name; null is no member of its own there, and one that is left needs no name. */
function eachMember(members: readonly ZodIssue[][], union: ZodSchema | undefined, root: unknown, path: Path): Found[] {
  const options = (union?._zod.def['options'] ?? []) as readonly ZodSchema[]
  const told = members
    .map((issues, n) => ({ issues, option: options[n] }))
    .filter(({ option }) => option?._zod.def.type !== 'null')
  return told.flatMap(({ issues, option }) => {
    const found = zodFindings(knowing(issues, option), root, true, path)
    if (told.length === 1 || !option) return found
    const member = { at: path.length, name: pydanticName(option) }
    return found.map(one => ({ ...one, members: [member, ...(one.members ?? [])] }))
  })
}

function rank(issues: readonly ZodIssue[]): 0 | 1 | 2 {
  if (issues.some(issue => (issue.path ?? []).length === 0 && issue.code === 'invalid_type')) return 0
  return issues.some(issue => issue.code === 'invalid_value') ? 1 : 2
}

function printed(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? typeof value)
}
