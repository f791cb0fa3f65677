// The peers as contenders: how each is installed, and how its app of a workload is started. The apps themselves are in bench/peers.
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { arch } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import type { Command, Contender } from './contender.ts'
import { installPeer, peerPath } from './peers.ts'
import { installPythonPeer } from './python-peer.ts'

/** An app that the peers asked for have: a file of that name in the folder of each. */
export type Workload = 'hello' | 'httparena' | 'db-read' | 'shop-read-redis'
export type PeerName = 'node-http' | 'fastify' | 'hono' | 'elysia' | 'fastapi' | 'go'

export interface Peers {
  readonly contenders: readonly Contender[]
  /** Those that cannot run here, each with the reason. */
  readonly skipped: readonly string[]
  readonly versions: Readonly<Record<string, string>>
}

interface Ready {
  readonly command: (port: number) => Command
  readonly versions: Readonly<Record<string, string>>
}

interface Peer {
  readonly about: string
  readonly closesUnsaid?: true
  /** Installs what it needs; throws when that cannot be had. */
  readonly ready: (workload: Workload) => Promise<Ready>
}

const run = promisify(execFile)
const BUILDS = join(import.meta.dirname, '../../.millrace/bench/go')

const PEERS: Readonly<Record<PeerName, Peer>> = {
  'node-http': {
    about: 'node:http, routed by hand',
    ready: async workload => ({
      command: onNode('node-http', workload),
      // The others need nothing.
      versions: workload === 'db-read' ? await installPeer('node-http') : {},
    }),
  },
  fastify: {
    about: 'Fastify, shipped defaults, no logger',
    ready: async workload => ({ command: onNode('fastify', workload), versions: await installPeer('fastify') }),
  },
  hono: {
    about: 'Hono on its node-server, shipped defaults',
    ready: async workload => ({ command: onNode('hono', workload), versions: await installPeer('hono') }),
  },
  elysia: {
    about: 'Elysia on Bun, shipped defaults',
    closesUnsaid: true,
    ready: async workload => {
      const { elysia, ...bun } = await installPeer('elysia')
      const binary = `@oven/bun-linux-${arch() === 'arm64' ? 'aarch64' : arch()}`
      const file = peerPath('elysia', `node_modules/${binary}/bin/bun`)
      if (!existsSync(file)) throw new Error(`there is no Bun for ${arch()}`)
      const env = { NODE_ENV: 'production' }
      return {
        command: port => ({ file, args: [peerPath('elysia', `${workload}.js`), String(port)], env }),
        versions: { elysia: elysia!, bun: bun[binary]! },
      }
    },
  },
  fastapi: {
    about: 'FastAPI on Uvicorn, one process, uvloop and httptools, access log off',
    ready: async workload => {
      const { python, versions } = await installPythonPeer('fastapi')
      const app = ['--app-dir', peerPath('fastapi'), `${workload.replaceAll('-', '_')}:app`]
      const uvicorn = ['-m', 'uvicorn', ...app, '--no-access-log', '--log-level', 'warning', '--host', '127.0.0.1']
      // Not beside the source: a peer's folder holds what is in the repository.
      const env = { PYTHONDONTWRITEBYTECODE: '1' }
      return { command: port => ({ file: python, args: [...uvicorn, '--port', String(port)], env }), versions }
    },
  },
  go: {
    about: 'Go net/http, one program',
    ready: async workload => {
      mkdirSync(BUILDS, { recursive: true })
      const binary = join(BUILDS, 'server')
      const path = [process.env['PATH'] ?? '', '/usr/local/go/bin'].join(delimiter)
      const env = { ...process.env, PATH: path, GOFLAGS: '-mod=mod', GOTOOLCHAIN: 'local', GOPROXY: 'off' }
      await run('go', ['build', '-o', binary, '.'], { cwd: peerPath('go'), env })
      const { stdout } = await run('go', ['env', 'GOVERSION'], { env })
      return {
        command: port => ({ file: binary, args: [workload, String(port)] }),
        versions: { go: stdout.trim().replace('go', '') },
      }
    },
  },
}

/**
 * Installs the named peers, the first time from their registries, and says which cannot be had.
 *
 * @param only  when not empty, the others are left alone
 * @param env  added to the environment of each
 */
export async function peerContenders(
  workload: Workload,
  names: readonly PeerName[],
  only: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Peers> {
  const contenders: Contender[] = []
  const skipped: string[] = []
  const versions: Record<string, string> = {}
  for (const name of names) {
    if (only.length > 0 && !only.includes(name)) continue
    const { about, closesUnsaid = false, ready } = PEERS[name]
    try {
      const peer = await ready(workload)
      const command = (port: number) => {
        const own = peer.command(port)
        return { ...own, env: { ...own.env, ...env } }
      }
      contenders.push({ name, about, closesUnsaid, command })
      Object.assign(versions, peer.versions)
    } catch (error) {
      const { stderr, message } = error as Error & { stderr?: string }
      skipped.push(`${name}: ${(stderr?.trim() || message).split('\n').at(-1)}`)
    }
  }
  return { contenders, skipped, versions }
}

function onNode(peer: string, workload: Workload): (port: number) => Command {
  return port => ({ file: process.execPath, args: [peerPath(peer, `${workload}.js`), String(port)] })
}
