// Before anything is timed: every server must do the same work, and the proof is its answer.
import type { Running } from './contender.ts'

/**
 * @throws Error naming the first server whose status, media type or body differs from the first one's
 */
export async function requireSameAnswers(servers: readonly Running[], paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const expected = await answer(servers[0]!, path)
    for (const server of servers.slice(1)) {
      const found = await answer(server, path)
      if (found !== expected)
        throw new Error(
          `${server.contender.name} and ${servers[0]!.contender.name} differ for ${path}:\n  ${found}\n  ${expected}`,
        )
    }
    if (!expected.startsWith('200 ')) throw new Error(`${path} is answered with ${expected}`)
  }
}

/** Status, media type and the body's bytes as text with one character each. */
async function answer({ origin }: Running, path: string): Promise<string> {
  const response = await fetch(origin + path, { headers: { connection: 'close', 'accept-encoding': 'identity' } })
  const body = Buffer.from(await response.arrayBuffer()).toString('latin1')
  const mediaType = (response.headers.get('content-type') ?? '').split(';')[0]!.trim()
  return `${response.status} ${mediaType} ${body}`
}
