// Sends a client elsewhere.
import { Answer, BadAnswerError } from './answer.ts'
import { dress } from './dress.ts'
import type { Reply, ReplyInit } from './reply.ts'

/** 303: ask there with GET. 307 and 308: with the same method and body. 301 and 302: browsers make a GET of a POST. 301 and 308 are for ever. */
export type RedirectStatus = 301 | 302 | 303 | 307 | 308

/**
 * @param url  absolute, or relative to what was asked for. Characters that no URL holds are percent-encoded. Where a client has a say in it,
 *   check that it leads to your own site: `redirect(query.next)` sends people wherever the link they clicked says
 * @param status  default 307
 *
 * @example
 * app.get('/old/{id}', { returns: { 308: null } }, ({ params }) => redirect(`/new/${params.id}`, 308))
 *
 * @throws BadAnswerError for what is no such status
 */
export function redirect(url: string | URL, status: RedirectStatus = 307, init: ReplyInit = {}): Reply {
  if (!STATUSES.has(status)) throw new BadAnswerError(`redirect(): ${String(status)} sends nobody anywhere`)
  const answer = new Answer(status, null, ['location', encoded(String(url))])
  return dress(answer, init) as unknown as Reply
}

const STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

// RFC 3986: reserved, unreserved, and the percent of what is encoded already. Anything else, line ends among it, could not stand in a field.
const OUTSIDE = /[^A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]+/gu

function encoded(url: string): string {
  return url.replace(OUTSIDE, text => encodeURIComponent(text.toWellFormed()))
}
