// hello: the smallest endpoint there is, so that nearly all of a request's cost is the server's own.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compare } from './harness/compare.ts'
import type { Command, Contender } from './harness/contender.ts'
import { gets } from './harness/load-request.ts'
import type { Options } from './harness/options.ts'
import { peerContenders } from './harness/peer-contenders.ts'
import { peerPath } from './harness/peers.ts'
import { findTool, type Tool } from './harness/tools.ts'

const ROOT = join(import.meta.dirname, '..')
const SOURCE = '--conditions=millrace-source'

export const millraceHello: Contender = {
  name: 'millrace',
  about: 'millrace serve examples/hello/app.ts --workers 1, shipped defaults; supervisor and worker counted together',
  command: port => serve('examples/hello/app.ts', port),
}

export const engine: Contender = {
  name: 'engine',
  about: 'the bare engine, src/http, without the app above it',
  command: port => script(join(ROOT, 'bench/servers/engine.ts'), port),
}

export const rawNet: Contender = {
  name: 'raw-net',
  about: 'node:net answering a constant without parsing: what the sockets cost',
  command: port => script(join(ROOT, 'bench/servers/raw-net.ts'), port),
}

export async function hello(options: Options): Promise<void> {
  const nginx = await findTool('nginx')
  const peers = await peerContenders('hello', ['elysia', 'go', 'node-http', 'fastify', 'hono', 'fastapi'], options.only)
  await compare(
    {
      contenders: [
        ...(typeof nginx === 'string' ? [] : [nginxHello(nginx)]),
        rawNet,
        engine,
        millraceHello,
        ...peers.contenders,
      ],
      skipped: [...(typeof nginx === 'string' ? [`nginx: ${nginx}`] : []), ...peers.skipped],
      references: ['nginx', 'elysia', 'fastify', 'fastapi'],
      requests: gets(['/']),
      versions: { ...peers.versions, ...(typeof nginx === 'string' ? {} : { nginx: nginx.version }) },
    },
    options,
  )
}

/** `millrace serve` from source with one worker, and an admin port that collides with nobody's. */
export function serve(app: string, port: number): Command {
  const address = ['--host', '127.0.0.1', '--port', String(port), '--admin', '127.0.0.1:0']
  const cli = join(ROOT, 'src/cli/main.ts')
  return { file: process.execPath, args: [SOURCE, cli, 'serve', join(ROOT, app), '--workers', '1', ...address] }
}

/** A server of ours, or a peer's, on the Node that runs the bench. */
export function script(file: string, port: number): Command {
  return { file: process.execPath, args: [SOURCE, file, String(port)] }
}

function nginxHello({ path, env }: Tool): Contender {
  return {
    name: 'nginx',
    about: 'nginx, one worker, `return 200` of a constant: the floor',
    command: port => {
      const folder = join(ROOT, '.millrace/bench/nginx')
      mkdirSync(folder, { recursive: true })
      const config = readFileSync(peerPath('nginx', 'hello.conf'), 'utf8')
      writeFileSync(join(folder, 'nginx.conf'), config.replaceAll('PORT', String(port)).replaceAll('FOLDER', folder))
      return { file: path, args: ['-e', 'stderr', '-p', folder, '-c', join(folder, 'nginx.conf')], env }
    },
  }
}
