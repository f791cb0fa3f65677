// Installs a peer from its own manifest and lock, the first time a bench needs it: the project's install never does.
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
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
  // npm writes this file last, so a half-done install is done again.
  if (!existsSync(join(folder, 'node_modules/.package-lock.json')))
    await promisify(execFile)('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: folder })
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { dependencies?: object }
  return Object.fromEntries(
    Object.keys(manifest.dependencies ?? {}).map(name => {
      const { version } = JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8')) as {
        version: string
      }
      return [name, version]
    }),
  )
}
