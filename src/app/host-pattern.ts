// Host patterns: 'admin.example.com', '{tenant}.example.com'. A name takes one label; case and port do not count.
import { UsageError } from '../core/error.ts'

export interface HostPattern {
  readonly text: string
  readonly names: readonly string[]
  /** The values of its names; undefined when the host is another. @param host  as `hostOf` gives it */
  match(host: string): readonly string[] | undefined
}

const NAME = /^[A-Za-z_][\w-]*$/
const LABEL = /^[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?$/

const parsed = new Map<string, HostPattern>()

/** @throws UsageError `APP_BAD_HOST` */
export function parseHost(text: string): HostPattern {
  let pattern = parsed.get(text)
  if (!pattern) parsed.set(text, (pattern = parse(text)))
  return pattern
}

function parse(text: string): HostPattern {
  const bad = (why: string): never => {
    throw new UsageError('APP_BAD_HOST', `${JSON.stringify(text)} is not a host pattern: ${why}`)
  }
  const names: string[] = []
  const labels = text.split('.').map(label => {
    if (!label.includes('{') && !label.includes('}')) {
      const lower = label.toLowerCase()
      if (!LABEL.test(lower))
        bad(
          label.includes(':')
            ? 'the port does not count, leave it out'
            : `${JSON.stringify(label)} is not a label of a host`,
        )
      return lower
    }
    const name =
      label.startsWith('{') && label.endsWith('}')
        ? label.slice(1, -1)
        : bad('a name takes a whole label, as in {tenant}.example.com')
    if (!NAME.test(name)) bad(`{${name}} is not a name; letters, digits, '_' and '-' make one`)
    if (names.includes(name)) bad(`{${name}} stands in it twice`)
    names.push(name)
    return undefined
  })
  return {
    text,
    names,
    match(host) {
      const found = host.split('.')
      if (found.length !== labels.length) return undefined
      const values: string[] = []
      for (let n = 0; n < labels.length; n++) {
        if (labels[n] === undefined && found[n] !== '') values.push(found[n]!)
        else if (labels[n] !== found[n]) return undefined
      }
      return values
    },
  }
}

/** Of an authority: lower case, without its port and the dot of the root. */
export function hostOf(authority: string): string {
  const end = authority.lastIndexOf(':')
  const host = end > authority.lastIndexOf(']') ? authority.slice(0, end) : authority
  return (host.endsWith('.') ? host.slice(0, -1) : host).toLowerCase()
}
