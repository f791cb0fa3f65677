// Decides as whom, and behind which small programs, an embedded server runs.
//
// PostgreSQL refuses to run as root. Then it runs as nobody (uid 65534), or, where nobody cannot reach the program or the data (a
// checkout below /root), as root without its powers: in a user namespace, `unshare -U`, where it counts as nobody.
//
// It must also end when its launcher does, however that dies: `setpriv --pdeathsig` asks the kernel to see to it. Where that is
// missing (macOS), a shell holds the other end of a pipe from the launcher and interrupts the server when the pipe closes.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { PostgresSettingsError } from './errors.ts'

const NOBODY = 65534

export interface Identity {
  /** The owner that the server's files need, when that is not simply us. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined
  /** How to run a program as this identity. */
  readonly spawnAs: { readonly uid?: number; readonly gid?: number }
  readonly prefix: readonly string[]
  /** Put before the server's own command line, after `prefix`. */
  readonly guard: readonly string[]
  /** The guard wants a pipe on standard input that closes with the launcher. */
  readonly guardReadsPipe: boolean
}

// The server is put in the background and a reader of the pipe beside it: end of file means that the launcher is gone.
const PIPE_GUARD = [
  '/bin/sh',
  '-c',
  'exec 3<&0; "$@" 3<&- </dev/null >&2 & server=$!; echo $server; exec >&2; (read -r _ <&3; kill -INT $server) 2>/dev/null & reader=$!; exec 3<&-; ' +
    'wait $server; status=$?; kill $reader 2>/dev/null; exit $status',
  'guard',
]

/**
 * @param binaries  folder of the programs
 * @param folder    folder that will hold data and socket; it exists
 * @throws PostgresSettingsError `POSTGRES_ROOT` when root has no way to run the server
 */
export async function chooseIdentity(binaries: string, folder: string): Promise<Identity> {
  const root = process.getuid?.() === 0
  const candidates: Omit<Identity, 'guard' | 'guardReadsPipe'>[] = root
    ? [
        { owner: { uid: NOBODY, gid: NOBODY }, spawnAs: { uid: NOBODY, gid: NOBODY }, prefix: [] },
        { owner: { uid: 0, gid: 0 }, spawnAs: {}, prefix: ['unshare', '-U'] },
      ]
    : [{ owner: undefined, spawnAs: {}, prefix: [] }]
  // The probe is the real thing in small: enter the folder, then run the server's program.
  const probe = ['/bin/sh', '-c', 'cd "$1" && exec "$2" --version', 'probe', folder, join(binaries, 'postgres')]
  for (const candidate of candidates) {
    const withSetpriv = ['setpriv', '--pdeathsig=INT']
    if (await succeeds([...candidate.prefix, ...withSetpriv, ...probe], candidate.spawnAs))
      return { ...candidate, guard: withSetpriv, guardReadsPipe: false }
    if (await succeeds([...candidate.prefix, ...probe], candidate.spawnAs))
      return { ...candidate, guard: PIPE_GUARD, guardReadsPipe: true }
  }
  throw new PostgresSettingsError(
    'POSTGRES_ROOT',
    root
      ? `PostgreSQL refuses to run as root; nobody (uid ${NOBODY}) cannot reach ${folder} and ${binaries}, and user namespaces ` +
          '(unshare -U) are not allowed here. Run as an ordinary user, move the application below a folder that others may enter, or set DATABASE_URL'
      : `${join(binaries, 'postgres')} does not run from ${folder}`,
  )
}

function succeeds(command: readonly string[], spawnAs: Identity['spawnAs']): Promise<boolean> {
  return new Promise(resolve => {
    const child = spawn(command[0]!, command.slice(1), { ...spawnAs, cwd: '/', stdio: 'ignore' })
    child.on('error', () => resolve(false))
    child.on('exit', code => resolve(code === 0))
  })
}
