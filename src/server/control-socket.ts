// The control socket: a unix socket beside the admin listener, for commands that change something. Who may open its file may command.
//
// The file appears with its mode and its listener at once: it is bound under another name, and linked to its own when it is complete. So no
// moment is open to others, of two servers that want one name the second is told, and a live one is never replaced by accident.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, link, lstat, readdir, rename, unlink } from 'node:fs/promises'
import net from 'node:net'
import { dirname, join, resolve } from 'node:path'
import type { Logger } from '../observe/logger.ts'
import { isAnswered } from './answered-socket.ts'
import { type Controlled, obey } from './control-commands.ts'
import { prepareControlFolder } from './control-place.ts'
import {
  type ControlAnswer,
  answerLine,
  ControlError,
  LineReader,
  MOST_REQUEST_BYTES,
  readRequest,
} from './control-protocol.ts'
import { StartError } from './errors.ts'
import { EXIT } from './exit-codes.ts'

export interface ControlSocket {
  readonly path: string
  /** Nobody is listened to any more; the file goes, unless another server has taken its place. */
  close(): Promise<void>
}

export interface ControlSocketOptions {
  /** 'auto' is a name of its own in a private folder. */
  readonly path: string
  readonly mode: number
  /** Another server of ours listens there, and hands its place over. */
  readonly takesOver?: boolean
  readonly controlled: Controlled
  readonly log: Logger
}

// People and scripts; more at a time is a mistake.
const MOST_CONNECTIONS = 32

/** sun_path of Linux. */
const MOST_PATH_BYTES = 107

/**
 * @returns undefined when there is no private folder for 'auto': a warning, the server goes on without
 * @throws StartError `LISTEN_BUSY` or `LISTEN_FAILED` for a path that somebody asked for, exit code 4
 */
export async function openControlSocket(options: ControlSocketOptions): Promise<ControlSocket | undefined> {
  const { mode, controlled, log } = options
  let { path } = options
  if (path === 'auto') {
    try {
      const folder = await prepareControlFolder()
      await clearStale(folder)
      path = join(folder, `${process.pid}.sock`)
    } catch (error) {
      log.warn(`no control socket: ${(error as Error).message}`)
      return undefined
    }
  }
  path = resolve(path)
  const bound = join(dirname(path), `.${randomBytes(4).toString('hex')}`)
  if (Buffer.byteLength(path) > MOST_PATH_BYTES || Buffer.byteLength(bound) > MOST_PATH_BYTES)
    throw new StartError('LISTEN_FAILED', EXIT.address, `${path} is too long for a unix socket: at most 107 bytes`)
  const server = net.createServer({ allowHalfOpen: true }, socket => converse(socket, controlled))
  server.maxConnections = MOST_CONNECTIONS
  try {
    bindPrivately(() => server.listen(bound))
    await once(server, 'listening')
    // Out of descriptors is no reason to end.
    server.on('error', () => {})
    await chmod(bound, mode)
    await place(bound, path, options.takesOver === true)
  } catch (error) {
    server.close()
    if (error instanceof StartError) throw error
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    throw new StartError(
      'LISTEN_FAILED',
      EXIT.address,
      `the control socket ${path} cannot be made (${code}); --control-socket names another place, or off`,
      { cause: error },
    )
  }
  const { ino, dev } = await lstat(path)
  return {
    path,
    close: async () => {
      server.close()
      const found = await lstat(path).catch(() => undefined)
      if (found?.ino === ino && found.dev === dev) await unlink(path).catch(() => {})
    },
  }
}

/** Between bind(2), which happens in the call itself, and chmod(2) the socket has the mode that the umask leaves: that of its owner alone. */
function bindPrivately(bind: () => void): void {
  const before = process.umask(0o177)
  try {
    bind()
  } finally {
    process.umask(before)
  }
}

/** Gives the bound socket its name. */
async function place(bound: string, path: string, takesOver: boolean): Promise<void> {
  if (takesOver) return rename(bound, path)
  for (let tries = 0; ; tries++) {
    try {
      await link(bound, path)
      return await unlink(bound)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const found = await lstat(path).catch(() => undefined)
    if (found !== undefined && !found.isSocket())
      throw new StartError(
        'LISTEN_FAILED',
        EXIT.address,
        `${path} exists and is not a socket; --control-socket names another place, or off`,
      )
    if (tries > 3 || (found !== undefined && (await isAnswered(path))))
      throw new StartError(
        'LISTEN_BUSY',
        EXIT.address,
        `${path} is the control socket of another server that runs; --control-socket names another place, or off`,
      )
    await unlink(path).catch(() => {})
  }
}

/** What servers left that were killed. */
export async function clearStale(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    // A name with a dot before it is being bound this moment, or its server was killed while it was.
    if (/^\d+\.sock$/.test(name) && !(await isAnswered(path))) await unlink(path).catch(() => {})
  }
}

function converse(socket: net.Socket, controlled: Controlled): void {
  const lines = new LineReader(MOST_REQUEST_BYTES)
  const say = (answer: ControlAnswer): void => {
    if (socket.writable) socket.write(answerLine(answer))
  }
  let turn = Promise.resolve()
  socket.on('error', () => socket.destroy())
  socket.on('data', (bytes: Buffer) => {
    // One after the other: nothing more is read until the answer to what was asked has been given.
    socket.pause()
    let asked: string[]
    try {
      asked = lines.push(bytes)
    } catch (error) {
      void turn.then(() => {
        say(refusal(error))
        socket.destroySoon()
      })
      return
    }
    turn = turn.then(async () => {
      for (const line of asked) say(await answerTo(line, controlled))
      socket.resume()
    })
  })
  socket.on('end', () => void turn.then(() => socket.end()))
}

async function answerTo(line: string, controlled: Controlled): Promise<ControlAnswer> {
  try {
    return { ok: true, result: await obey(readRequest(line), controlled) }
  } catch (error) {
    return refusal(error)
  }
}

function refusal(error: unknown): ControlAnswer {
  const code = error instanceof ControlError || error instanceof StartError ? error.code : 'SERVER_FAULT'
  return { ok: false, error: { code, message: error instanceof Error ? error.message : String(error) } }
}
