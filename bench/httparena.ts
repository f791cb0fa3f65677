// npm run bench -- json, and the other profiles of HttpArena: our entry, bench/httparena/app.ts, beside peers that do the same.
import { compare } from './harness/compare.ts'
import type { Contender } from './harness/contender.ts'
import type { Options } from './harness/options.ts'
import { peerContenders, type PeerName } from './harness/peer-contenders.ts'
import { serve } from './hello.ts'
import { DATASET, PROFILES, type ProfileName } from './profiles.ts'
import { staticFolder } from './static-data.ts'

const PEERS: readonly PeerName[] = ['elysia', 'go', 'node-http', 'fastify', 'fastapi']

// Compressed bodies: Go has nothing for them. Variants on the disk: those with a handler of files that looks for them, and node:http by hand.
function peersOf(name: ProfileName): readonly PeerName[] {
  if (name === 'static') return ['node-http', 'fastify']
  return name === 'json-comp' ? PEERS.filter(peer => peer !== 'go') : PEERS
}

export function profile(name: ProfileName): (options: Options) => Promise<void> {
  return async options => {
    const env = { DATASET_PATH: DATASET, ...(name === 'static' ? { STATIC_PATH: staticFolder() } : {}) }
    const compresses = name === 'json-comp'
    const peers = await peerContenders(
      'httparena',
      peersOf(name),
      options.only,
      // FastAPI's compression is middleware around the whole app: only where it is the subject.
      compresses ? { ...env, COMPRESS: '1' } : env,
    )
    const millrace: Contender = {
      name: 'millrace',
      about:
        'millrace serve bench/httparena/app.ts --workers 1, shipped defaults; supervisor and worker counted together',
      command: port => ({ ...serve('bench/httparena/app.ts', port), env }),
    }
    const { contenders, skipped, versions } = peers
    await compare(
      {
        ...PROFILES[name](),
        contenders: [millrace, ...contenders],
        skipped,
        references: ['elysia', 'node-http', 'fastify', 'fastapi'],
        versions,
      },
      options,
    )
  }
}
