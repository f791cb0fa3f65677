// Installs a peer of Python's, with exactly the versions in its requirements.txt, into a virtual environment below .millrace/bench.
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { peerPath } from './peers.ts'

const run = promisify(execFile)
const FOLDER = join(import.meta.dirname, '../../.millrace/bench/python')

export interface PythonPeer {
  readonly python: string
  /** Of Python and of each package. */
  readonly versions: Readonly<Record<string, string>>
}

/** @throws Error when there is no Python with venv, or the packages cannot be had */
export async function installPythonPeer(peer: string): Promise<PythonPeer> {
  const folder = join(FOLDER, peer)
  const python = join(folder, 'bin/python')
  const requirements = readFileSync(peerPath(peer, 'requirements.txt'), 'utf8')
  const installed = join(folder, 'installed.txt')
  // Written last, so that a half-done install, or one of other versions, is done again.
  if (!existsSync(installed) || readFileSync(installed, 'utf8') !== requirements) {
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(FOLDER, { recursive: true })
    await run('python3', ['-m', 'venv', folder])
    const quietly = ['--quiet', '--disable-pip-version-check', '--no-input', '--only-binary=:all:', '--no-deps']
    await run(python, ['-m', 'pip', 'install', ...quietly, '-r', peerPath(peer, 'requirements.txt')])
    writeFileSync(installed, requirements)
  }
  const { stdout } = await run(python, ['--version'])
  return { python, versions: { python: stdout.trim().replace('Python ', ''), ...pinned(requirements) } }
}

/** `name==version`, a line each. */
export function pinned(requirements: string): Record<string, string> {
  const lines = requirements.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(
    lines.map(line => {
      const [name, version] = line.split('==')
      if (!name || !version) throw new Error(`requirements.txt: ${line} pins no version`)
      return [name, version]
    }),
  )
}
