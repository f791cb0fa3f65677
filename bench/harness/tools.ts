// Finds wrk, nginx and taskset: on the machine, or unpacked from their Debian packages beside the repository.
//
// Packages are unpacked, not installed: it needs no root, and nginx's own package would start a web server.
import { execFile } from 'node:child_process'
import { existsSync, globSync, mkdirSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const FOLDER = join(import.meta.dirname, '../../.millrace/bench/tools')
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin']

const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  wrk: ['wrk', 'libluajit-5.1-2'],
  // The binary of nginx-light; that package adds modules only.
  nginx: ['nginx'],
}

export interface Tool {
  readonly path: string
  /** Added to the environment of the process. */
  readonly env: Readonly<Record<string, string>>
  readonly version: string
}

/** @returns the tool, or the reason why it is not to be had */
export async function findTool(name: 'wrk' | 'nginx' | 'taskset'): Promise<Tool | string> {
  const installed = onPath(name)
  if (installed !== undefined) return { path: installed, env: {}, version: await versionOf(installed, {}) }
  const packages = PACKAGES[name]
  if (!packages) return `${name} is not installed`
  if (unpacked(name) === undefined) {
    if (onPath('apt-get') === undefined) return `${name} is not installed and there is no apt-get to fetch it with`
    try {
      await unpack(packages)
    } catch (error) {
      return `${name} is not installed and apt-get could not fetch it: ${String((error as { stderr?: string }).stderr ?? error).trim()}`
    }
  }
  const path = unpacked(name)
  if (path === undefined) return `${name} was not in the packages ${packages.join(', ')}`
  const env = { LD_LIBRARY_PATH: globSync(join(FOLDER, 'usr/lib/*-linux-gnu*')).join(':') }
  return { path, env, version: await versionOf(path, env) }
}

function onPath(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...SYSTEM_FOLDERS]
  return folders.map(folder => join(folder, name)).find(path => existsSync(path))
}

function unpacked(name: string): string | undefined {
  return ['usr/bin', 'usr/sbin'].map(folder => join(FOLDER, folder, name)).find(path => existsSync(path))
}

async function unpack(packages: readonly string[]): Promise<void> {
  mkdirSync(FOLDER, { recursive: true })
  try {
    await run('apt-get', ['download', ...packages], { cwd: FOLDER })
  } catch (error) {
    if (process.getuid?.() !== 0) throw error
    await run('apt-get', ['update']) // a fresh image has no lists
    await run('apt-get', ['download', ...packages], { cwd: FOLDER })
  }
  for (const file of readdirSync(FOLDER))
    if (file.endsWith('.deb')) await run('dpkg-deb', ['-x', join(FOLDER, file), FOLDER])
}

async function versionOf(path: string, env: Readonly<Record<string, string>>): Promise<string> {
  // wrk ends with 1 after printing its version, nginx prints it to standard error.
  const { stdout, stderr } = await run(path, ['-v'], { env: { ...process.env, ...env } }).catch(
    (error: { stdout?: string; stderr?: string }) => error,
  )
  return /\d+\.\d+(?:\.\d+)?/.exec(`${stdout} ${stderr}`)?.[0] ?? 'unknown'
}
