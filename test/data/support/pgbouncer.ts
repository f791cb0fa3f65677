// A PgBouncer before a test's server, on a free port of 127.0.0.1, in transaction mode: every transaction may have another session.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chown, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { freePort } from './redis.ts'
import { eventually, temporaryFolder } from './server.ts'

const PROGRAM = '/usr/sbin/pgbouncer'

/** For `describe`'s and `test`'s options: why these tests are skipped, or false. */
export const withoutPgBouncer: string | false =
  existsSync(PROGRAM) || process.env['CI'] ? false : `wants ${PROGRAM} (Debian: pgbouncer)`

export interface PgBouncer {
  /** Of the database `app`. */
  readonly url: string
  stop(): Promise<void>
}

/**
 * @param address  of an embedded server
 * @param ignored  startup parameters that it overlooks; it refuses others
 * @param settings  instead of the usual ones, or beside them
 */
export async function startPgBouncer(
  address: { readonly socketDir: string; readonly port: number },
  ignored: readonly string[],
  settings: Readonly<Record<string, string | number>> = {},
): Promise<PgBouncer> {
  const folder = await temporaryFolder()
  const port = await freePort()
  const file = join(folder, 'pgbouncer.ini')
  await writeFile(
    file,
    `[databases]
* = host=${address.socketDir} port=${address.port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
ignore_startup_parameters = ${['extra_float_digits', ...ignored].join(', ')}
${Object.entries({ pool_mode: 'transaction', default_pool_size: 4, ...settings })
  .map(([name, value]) => `${name} = ${value}\n`)
  .join('')}`,
  )
  // It refuses to be root, and only the server's user may enter the folder of its socket.
  const { uid, gid } = await stat(address.socketDir)
  await chown(file, uid, gid)
  const asOwner = process.getuid?.() === 0 ? { uid, gid } : {}
  const child: ChildProcess = spawn(PROGRAM, [file], { ...asOwner, stdio: 'ignore' })
  const exited = once(child, 'exit')
  await eventually(() => {
    if (child.exitCode !== null) throw new Error(`pgbouncer ended with ${child.exitCode}`)
    return isOpen(port)
  })
  return {
    url: `postgresql://postgres@127.0.0.1:${port}/app`,
    stop: async () => {
      child.kill('SIGKILL')
      await exited
    },
  }
}

function isOpen(port: number): Promise<true | undefined> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => (socket.destroy(), resolve(true)))
    socket.once('error', () => resolve(undefined))
  })
}
