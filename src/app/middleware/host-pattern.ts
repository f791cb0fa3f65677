// Names of hosts as people allow them: exact ones, and '*.example.com' for everything below one. Pure.
import { isAuthorityText } from '../../http/request-target.ts'

/** @returns whether a host without its port is one of them; undefined for a pattern that none could be */
export function hostTest(patterns: readonly string[]): ((host: string) => boolean) | { readonly bad: string } {
  const exact = new Set<string>()
  const endings: string[] = []
  for (const pattern of patterns) {
    const lower = pattern.toLowerCase()
    const name = lower.startsWith('*.') ? lower.slice(2) : lower
    if (name === '' || hostOf(name) !== name || !isAuthorityText(name)) return { bad: pattern }
    if (lower.startsWith('*.')) endings.push(`.${name}`)
    else exact.add(name)
  }
  return host => exact.has(host) || endings.some(ending => host.endsWith(ending) && host.length > ending.length)
}

/** Without the port and a final dot, in lower case; '[::1]' keeps its brackets. */
export function hostOf(authority: string): string {
  const colon = authority.lastIndexOf(':')
  const host = colon > authority.lastIndexOf(']') ? authority.slice(0, colon) : authority
  const lower = host.toLowerCase()
  return lower.endsWith('.') ? lower.slice(0, -1) : lower
}
