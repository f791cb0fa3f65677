// Path patterns: '/products/{id}', '/files/{path*}'. Their names as types, and their segments at run time.
import { UsageError } from '../core/error.ts'
import type { Out } from '../schema/schema.ts'

type Segment<N extends string> = N extends `${infer K}*` ? K : N
/** The names in a pattern, as a union of literals. */
export type Names<P extends string> = P extends `${string}{${infer N}}${infer R}` ? Segment<N> | Names<R> : never

/** `unknown` when right, so that it vanishes from an intersection; else a sentence, shown where the mistake is. */
export type PathOk<N extends string, K> = [N] extends [K]
  ? [K] extends [N]
    ? unknown
    : string extends K
      ? unknown
      : { params: `This schema has ${Exclude<K, N> & string}, the path has not` }
  : { params: `The path has {${Exclude<N, K> & string}}, this schema has not` }

/** Without a schema, path values are strings. */
export type Params<N extends string, PS> = PS extends undefined
  ? { readonly [K in N]: string }
  : unknown extends Out<PS>
    ? { readonly [K in N]: any }
    : Out<PS>

export type PatternSegment =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'value'; readonly name: string }
  /** The rest of the path, slashes included; at least one character; only as the last segment. */
  | { readonly kind: 'rest'; readonly name: string }

const NAME = /^[A-Za-z_][A-Za-z0-9_-]*$/

/** @throws UsageError `APP_BAD_PATTERN` saying what is wrong with it */
export function parsePattern(pattern: string): readonly PatternSegment[] {
  const bad = (why: string): never => {
    throw new UsageError('APP_BAD_PATTERN', `${JSON.stringify(pattern)} is not a path pattern: ${why}`)
  }
  if (!pattern.startsWith('/')) bad("it must start with '/'")
  const names = new Set<string>()
  const segments = pattern
    .slice(1)
    .split('/')
    .map((text, at, all): PatternSegment => {
      if (!text.includes('{') && !text.includes('}')) {
        if (isForeign(text)) bad(`names stand in braces; write ${JSON.stringify(inBraces(pattern))}`)
        return { kind: 'text', text }
      }
      const inner =
        text.startsWith('{') && text.endsWith('}')
          ? text.slice(1, -1)
          : bad(`a name takes a whole segment, as in /a/{id}, and ${text} does not`)
      const isRest = inner.endsWith('*')
      const name = isRest ? inner.slice(0, -1) : inner
      if (!NAME.test(name)) bad(`{${inner}} is not a name; letters, digits, '_' and '-' make one`)
      if (names.has(name)) bad(`{${name}} stands in it twice`)
      names.add(name)
      if (isRest && at !== all.length - 1) bad(`{${inner}} takes the rest of the path, so it must come last`)
      return { kind: isRest ? 'rest' : 'value', name }
    })
  return segments
}

// ':id' and '*' are how other frameworks write it. As text they would match nothing that anybody asks for, in silence.
function isForeign(segment: string): boolean {
  return segment === '*' || (segment.startsWith(':') && NAME.test(segment.slice(1)))
}

function inBraces(pattern: string): string {
  return pattern.replaceAll(/(?<=\/):([A-Za-z_][\w-]*)(?=\/|$)/g, '{$1}').replaceAll(/(?<=\/)\*(?=\/|$)/g, '{path*}')
}

export function patternNames(segments: readonly PatternSegment[]): readonly string[] {
  return segments.flatMap(segment => (segment.kind === 'text' ? [] : [segment.name]))
}
