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
  wrongType,
} from './rules.ts'
import { zodCore, type ZodIssue, type ZodSchema } from './zod-library.ts'

type Path = readonly (string | number)[]

/** @param value  what was validated: issues inside unions no longer hold their input, so it is looked up */
export function zodFindings(issues: readonly ZodIssue[], value: unknown, base: Path = []): Found[] {
  return issues.flatMap(issue => findings(issue, value, base))
}

function findings(issue: ZodIssue, root: unknown, base: Path): Found[] {
  const path = issue.path && issue.path.length > 0 ? [...base, ...issue.path.map(step)] : base
  const input = 'input' in issue ? issue.input : inputAt(root, path)
  const msg = messageOf(issue)
  // JSON and text have no undefined: it can only stand for a key that is not there.
  if (
    input === undefined &&
    (issue.code === 'invalid_type' || issue.code === 'invalid_value' || issue.code === 'invalid_union') &&
    issue['discriminator'] === undefined
  )
    return [missing(path)]
  switch (issue.code) {
    case 'invalid_type':
      return [wrongType(expectedType(issue), input, path, msg)]
    case 'too_small':
      return [tooSmall(issue['origin'], bound(issue['minimum'], issue), issue['inclusive'] !== false, input, path, msg)]
    case 'too_big':
      return [tooBig(issue['origin'], bound(issue['maximum'], issue), issue['inclusive'] !== false, input, path, msg)]
    case 'not_multiple_of':
      return [notMultiple(issue['divisor'], path, msg)]
    case 'unrecognized_keys':
      return (issue['keys'] as string[]).map(key => extra([...path, key]))
    case 'invalid_value':
      return [notAmong(issue['values'], issue.inst?._zod.def.type !== 'enum', path, msg)]
    case 'invalid_format':
      return [formatFinding(issue, path, msg)]
    case 'invalid_union':
      return unionFindings(issue, root, path, msg)
    case 'invalid_key':
      return keyFindings(issue['issues'], path)
    default:
      return [broken(path, msg)]
  }
}

/** What is wrong with a key stands where Pydantic puts it: one step below the key, named "[key]". */
function keyFindings(issues: readonly ZodIssue[], path: Path): Found[] {
  const key = path[path.length - 1]
  return zodFindings(issues, key).map(found => ({ ...found, path: [...path, '[key]', ...found.path] }))
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
  if (issue['origin'] === 'date') return new Date(value as number | Date).toISOString()
  return typeof value === 'bigint' ? String(value) : (value as number)
}

function formatFinding(issue: ZodIssue, path: Path, msg: string): Found {
  const { format, prefix, suffix, includes } = issue as {
    format?: string
    prefix?: string
    suffix?: string
    includes?: string
  }
  if (prefix !== undefined) return badPattern(`^${escaped(prefix)}`, path, msg)
  if (suffix !== undefined) return badPattern(`${escaped(suffix)}$`, path, msg)
  if (includes !== undefined) return badPattern(escaped(includes), path, msg)
  const pattern = typeof issue['pattern'] === 'string' ? issue['pattern'].replace(/^\/(.*)\/[a-z]*$/s, '$1') : undefined
  return badFormat(format ?? '', pattern, path, msg)
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

/**
 * A union says what its best member says. Members that refuse the value's very type know nothing about it; a member whose
 * literal differs was not meant. Where no member takes the type, each is told: the client learns all the choices.
 */
function unionFindings(issue: ZodIssue, root: unknown, path: Path, msg: string): Found[] {
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
  const rated = members.map(issues => ({ issues, rank: rank(issues) }))
  const best = Math.max(...rated.map(({ rank }) => rank))
  const candidates = rated.filter(({ rank }) => rank === best)
  if (best > 0) {
    const [chosen] = candidates.sort((a, b) => a.issues.length - b.issues.length)
    return zodFindings(chosen!.issues, root, path)
  }
  const all = candidates.flatMap(({ issues }) => zodFindings(issues, root, path))
  return all.filter(
    (found, n) => all.findIndex(other => other.type === found.type && other.path.length === found.path.length) === n,
  )
}

function rank(issues: readonly ZodIssue[]): 0 | 1 | 2 {
  if (issues.some(issue => (issue.path ?? []).length === 0 && issue.code === 'invalid_type')) return 0
  return issues.some(issue => issue.code === 'invalid_value') ? 1 : 2
}

function printed(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? typeof value)
}
