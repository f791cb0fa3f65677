// Installs a peer from its own manifest and lock, the first time a bench needs it: the project's install never does.
import { execFile } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const PEERS = join(import.meta.dirname, '../peers')

/** Absolute path of a peer's folder, or of a file in it. */
export function peerPath(peer: string, file = ''): string {
  return join(PEERS, peer, file)
}

/** @returns the version of each of its dependencies */
export async function installPeer(peer: string): Promise<Record<string, string>> {
  const folder = peerPath(peer)
  // npm writes this file last, so a half-done install is done again; and so is one of another lock.
  const done = statSync(join(folder, 'node_modules/.package-lock.json'), { throwIfNoEntry: false })
  if (!done || done.mtimeMs < statSync(join(folder, 'package-lock.json')).mtimeMs)
    await promisify(execFile)('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: folder })
  const { dependencies = {}, optionalDependencies = {} } = readJson(join(folder, 'package.json')) as Manifest
  const installed = Object.keys({ ...dependencies, ...optionalDependencies })
    .map(name => ({ name, manifest: join(folder, 'node_modules', name, 'package.json') }))
    .filter(({ name, manifest }) => name in dependencies || existsSync(manifest))
  return Object.fromEntries(
    installed.map(({ name, manifest }) => [name, (readJson(manifest) as { version: string }).version]),
  )
}

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>
  /** Binaries, one for each kind of machine. */
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'))
}
