// What two parsers made of the same bytes, in one word.
import type { Seen, SeenRequest } from './observe.ts'
import { REASONS, type Difference } from './reasons.ts'

export type Verdict =
  /** 'ours waits': node refuses what ours has not seen the end of, and has not handed to anybody. */
  | { readonly kind: 'both accept' | 'both refuse' | 'ours waits' }
  /** `name` is the code that ours refuses with. */
  | { readonly kind: 'only node accepts'; readonly name: string }
  | { readonly kind: 'explained'; readonly name: string }
  | { readonly kind: 'unexplained'; readonly difference: Difference }

export function compared(bytes: Buffer, ours: Seen, node: Seen): Verdict {
  const [mine, theirs] = [ours, node].map(({ requests }) => requests.filter(({ isWhole }) => isWhole)) as [
    SeenRequest[],
    SeenRequest[],
  ]
  const shared = Math.min(mine.length, theirs.length)
  let at = 0
  while (at < shared && isSame(mine[at]!, theirs[at]!)) at++
  if (at === shared) {
    const cut = [ours, node].map(({ requests }) => requests.find(({ isWhole }) => !isWhole))
    const isCutAlike = cut[0] === undefined || cut[1] === undefined || isSame(cut[0], cut[1])
    if (ours.refusal !== undefined && mine.length === at) {
      const isRefused = node.refusal !== undefined && theirs.length === at
      return isRefused ? { kind: 'both refuse' } : { kind: 'only node accepts', name: ours.refusal }
    }
    if (mine.length === theirs.length && node.refusal === undefined && isCutAlike) return { kind: 'both accept' }
    if (mine.length === theirs.length && cut[0] === undefined) return { kind: 'ours waits' }
  }
  return differing(bytes, ours, node, at)
}

/** @param at  the first request in which they differ; by default the one behind those that are whole */
export function differing(
  bytes: Buffer,
  ours: Seen,
  node: Seen,
  at = ours.requests.filter(({ isWhole }) => isWhole).length,
): Verdict {
  const difference = { bytes, ours, node, at }
  const reason = REASONS.find(({ explains }) => explains(difference))
  return reason ? { kind: 'explained', name: reason.name } : { kind: 'unexplained', difference }
}

/** Of a body that was cut, one may have handed out more than the other: ours hands out nothing once it knows. */
function isSame(one: SeenRequest, other: SeenRequest): boolean {
  const [shorter, longer] = one.body.length < other.body.length ? [one, other] : [other, one]
  return (
    one.method === other.method &&
    one.target === other.target &&
    one.isWhole === other.isWhole &&
    (shorter.isWhole ? longer.body === shorter.body : longer.body.startsWith(shorter.body)) &&
    one.fields.length === other.fields.length &&
    one.fields.every((text, n) => text === other.fields[n])
  )
}
