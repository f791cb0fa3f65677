// The folder of an embedded server: makes it once, hands it to the right owner, and says whether somebody is using it.
//
//   .millrace/postgres/           the folder that options name
//     data/                       PostgreSQL's own files; appears in one rename, so a failed initdb leaves nothing half-made
//     socket/                     the unix socket; 0700, and the only way in
//     server.log                  what the server said since its last start
import { spawn } from 'node:child_process'
import { chmod, chown, lchown, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PostgresBinaries } from './embedded-binaries.ts'
import type { Identity } from './embedded-identity.ts'
import { PostgresSettingsError } from './errors.ts'

/** The superuser made by initdb. The socket's folder is the lock on the door: nobody else can reach it. */
export const SUPERUSER = 'postgres'

/** Runs initdb unless the data is there. @returns the path of the data */
export async function prepareData(folder: string, binaries: PostgresBinaries, identity: Identity): Promise<string> {
  const data = join(folder, 'data')
  const version = await readFile(join(data, 'PG_VERSION'), 'utf8').catch(() => undefined)
  if (version === undefined) await initialize(folder, data, binaries, identity)
  else if (Number.parseInt(version, 10) !== binaries.major)
    throw new PostgresSettingsError(
      'POSTGRES_DATA_VERSION',
      `${data} was made by PostgreSQL ${version.trim()}, and the one found here is ${binaries.major} (${binaries.directory}). ` +
        'Install the older one and dump the data, or remove the folder to begin anew',
    )
  await giveTo(identity, data)
  return data
}

async function initialize(folder: string, data: string, binaries: PostgresBinaries, identity: Identity): Promise<void> {
  await removeAbandoned(folder)
  const fresh = await mkdtemp(join(folder, 'data.new-'))
  try {
    await giveTo(identity, fresh)
    // Unicode rules for upper() and lower(), byte order for sorting: the same on every machine, whatever its locales.
    const locale =
      binaries.major >= 17
        ? ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
        : ['--locale=C.UTF-8', '--lc-messages=C']
    const flags = ['-D', fresh, '-U', SUPERUSER, '--auth=trust', '--encoding=UTF8', ...locale]
    const [command, ...args] = [...identity.prefix, join(binaries.directory, 'initdb'), ...flags]
    await runToEnd(command!, args, identity)
    await rename(fresh, data).catch(async error => {
      // Somebody else was quicker, with the same result.
      if (!(await stat(join(data, 'PG_VERSION')).catch(() => undefined))) throw error
    })
  } catch (error) {
    throw new PostgresSettingsError(
      'POSTGRES_INITDB',
      `The embedded database could not be created in ${folder}: ${(error as Error).message}`,
      { cause: error },
    )
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
}

// Left by a launcher that was killed; initdb takes a second, so what is minutes old has no owner.
async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    if (name.startsWith('data.new-') && Date.now() - (await stat(path)).mtimeMs > 300_000)
      await rm(path, { recursive: true, force: true })
  }
}

function runToEnd(command: string, args: readonly string[], identity: Identity): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...identity.spawnAs, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-2000)))
    child.on('error', reject)
    child.on('close', (code, signal) =>
      code === 0 ? resolve() : reject(new Error(`initdb ended with ${signal ?? code}: ${said.trim()}`)),
    )
  })
}

// A folder changes hands when the way of running does (root's checkout was opened to others, say), so everything in it is given. Some
// ways of copying keep the owner of files but not of folders, so one of each is looked at.
async function giveTo(identity: Identity, path: string): Promise<void> {
  const owner = identity.owner
  if (!owner) return
  const owners = await Promise.all([path, join(path, 'PG_VERSION')].map(name => stat(name).catch(() => undefined)))
  if (owners.every(found => found === undefined || found.uid === owner.uid)) return
  for (const entry of await readdir(path, { recursive: true })) await lchown(join(path, entry), owner.uid, owner.gid)
  await chown(path, owner.uid, owner.gid)
}

// sockaddr_un.sun_path holds 108 bytes with its final zero on Linux, 104 on macOS.
const MAX_SOCKET_PATH_BYTES = process.platform === 'linux' ? 107 : 103

/** @returns the folder of the socket, below `folder` or, where that path is too long, in the system's folder for temporary files */
export async function prepareSocketFolder(folder: string, port: number, identity: Identity): Promise<string> {
  const note = join(folder, 'socket-folder')
  const abandoned = await readFile(note, 'utf8').catch(() => undefined)
  if (abandoned) await rm(abandoned, { recursive: true, force: true })
  await rm(note, { force: true })
  let socket = join(folder, 'socket')
  if (Buffer.byteLength(join(socket, `.s.PGSQL.${port}`)) <= MAX_SOCKET_PATH_BYTES)
    await mkdir(socket, { recursive: true })
  else {
    socket = await mkdtemp(join(tmpdir(), 'millrace-postgres-'))
    await writeFile(note, socket)
  }
  await chmod(socket, 0o700)
  if (identity.owner) await chown(socket, identity.owner.uid, identity.owner.gid)
  return socket
}

export interface Occupant {
  readonly pid: number
  /** Last line of postmaster.pid: starting, ready, stopping; empty when not yet written. */
  readonly status: string
  readonly socketDir: string
}

/**
 * Who runs a server on this data, by its postmaster.pid. After `kill -9` that file stays behind, and its number may by then be another
 * process's (in a container it soon is) or that of a process that is dead but not yet waited for: nobody, then.
 */
export async function findOccupant(data: string): Promise<Occupant | undefined> {
  const lines = (await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => ''))
    .split('\n')
    .map(line => line.trim())
  const pid = Number(lines[0])
  if (!Number.isInteger(pid) || pid <= 0 || !isAlive(pid)) return undefined
  // '1234 (postgres) S 1 ...'. Without /proc (macOS) the number has to do.
  const process = /\((.*)\) (\w)/s.exec(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''))
  if (process && (process[1] !== 'postgres' || process[2] === 'Z')) return undefined
  return { pid, status: lines[7] ?? '', socketDir: lines[4] ?? '' }
}

/**
 * Removes the lock files that a killed server left, which PostgreSQL itself refuses to overrule when their number is alive again. Only for
 * data without an occupant. Should a child of the killed server still run, PostgreSQL finds its shared memory and waits for it.
 */
export async function removeStaleLocks(data: string, socketDir: string, port: number): Promise<void> {
  for (const file of [join(data, 'postmaster.pid'), join(socketDir, `.s.PGSQL.${port}.lock`)])
    await rm(file, { force: true })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
