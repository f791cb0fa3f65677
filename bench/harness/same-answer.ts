// Before anything is timed: every server must do the same work, and the proof is its answer.
import type { Running } from './contender.ts'
import { ask, type LoadRequest, type ReceivedAnswer } from './load-request.ts'

/** What a request must be answered with, where the work itself says so. */
export interface Expected {
  readonly request: LoadRequest
  readonly mediaType: string
  readonly body: string
  /** 'some': gzip or br, whichever the server prefers; 'none': the body as it is. */
  readonly coding: 'none' | 'some'
}

/**
 * @throws Error naming the first server whose status, media type or body differs from the first one's
 */
export async function requireSameAnswers(servers: readonly Running[], requests: readonly LoadRequest[]): Promise<void> {
  for (const request of requests) {
    const expected = summary(await ask(servers[0]!.origin, request))
    for (const server of servers.slice(1)) {
      const found = summary(await ask(server.origin, request))
      if (found !== expected)
        throw new Error(
          `${server.contender.name} and ${servers[0]!.contender.name} differ for ${request.path}:\n  ${found}\n  ${expected}`,
        )
    }
    if (!/^20[01] /.test(expected)) throw new Error(`${request.path} is answered with ${expected}`)
  }
}

/** @throws Error naming the first server and request that are answered otherwise than expected */
export async function requireAnswers(servers: readonly Running[], expected: readonly Expected[]): Promise<void> {
  for (const { contender, origin } of servers)
    for (const { request, mediaType, body, coding } of expected) {
      const found = await ask(origin, request)
      const isRight =
        found.status === 200 &&
        nowadays(found.mediaType) === mediaType &&
        found.body === body &&
        (found.coding === '') === (coding === 'none')
      if (!isRight)
        throw new Error(
          `${contender.name} answers ${request.body === undefined ? 'GET' : 'POST'} ${request.path} with\n  ` +
            `${summary(found).slice(0, 1_000)}\ninstead of\n  200 ${mediaType} ${body.slice(0, 1_000)} (coding: ${coding})`,
        )
    }
}

function summary({ status, mediaType, coding, body }: ReceivedAnswer): string {
  // Which coding is the server's own choice.
  return `${status} ${nowadays(mediaType)} ${coding === '' ? '' : '(compressed) '}${body}`
}

/** RFC 9239 has made the older name of scripts obsolete; HttpArena takes either. */
function nowadays(mediaType: string): string {
  return mediaType === 'application/javascript' ? 'text/javascript' : mediaType
}
