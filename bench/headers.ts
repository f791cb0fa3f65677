// headers: what the fields that a browser sends cost, beside a bare request, on the same server in the same run.
import { compare } from './harness/compare.ts'
import type { Contender } from './harness/contender.ts'
import type { LoadRequest } from './harness/load-request.ts'
import type { Options } from './harness/options.ts'
import { peerContenders } from './harness/peer-contenders.ts'
import { millraceHello } from './hello.ts'

/** As Chrome on a desktop sends them, with one cookie: 650 bytes of fields with Host. */
export const BROWSER_FIELDS: LoadRequest['headers'] = {
  Connection: 'keep-alive',
  'Cache-Control': 'max-age=0',
  'sec-ch-ua': '"Chromium";v="156", "Not)A;Brand";v="24", "Google Chrome";v="156"',
  'sec-ch-ua-mobile': '?0',
  'sec-ch-ua-platform': '"Linux"',
  'Upgrade-Insecure-Requests': '1',
  'User-Agent': 'Mozilla/5.0 (X11; Linux x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36',
  Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'Sec-Fetch-Site': 'same-origin',
  'Sec-Fetch-Mode': 'navigate',
  'Sec-Fetch-User': '?1',
  'Accept-Encoding': 'gzip, deflate, br, zstd',
  'Accept-Language': 'en-GB,en;q=0.9',
  Cookie: 'session=6f1d2c3b4a5968778695a4b3c2d1e0f10a1b2c3d4e5',
}

export async function headers(options: Options): Promise<void> {
  const peers = await peerContenders('hello', ['node-http', 'fastify'], [])
  const bare = [millraceHello, ...peers.contenders]
  const request: LoadRequest = { path: '/' }
  const full: LoadRequest = { path: '/', headers: BROWSER_FIELDS! }
  await compare(
    {
      contenders: bare.flatMap(server => [server, underBrowsers(server)]),
      skipped: peers.skipped,
      references: bare.map(({ name }) => name),
      requests: [request],
      requestsOf: Object.fromEntries(bare.map(({ name }) => [`${name}, 650 B`, [full]])),
      versions: peers.versions,
    },
    options,
  )
}

function underBrowsers(server: Contender): Contender {
  return {
    ...server,
    name: `${server.name}, 650 B`,
    about: 'the same process, asked as a browser asks',
    sameAs: server.name,
  }
}
