// Finds the servers that can be commanded, and asks one.
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import net from 'node:net'
import { join } from 'node:path'
import { controlFolders, isPrivate } from '../server/control-place.ts'
import { ControlError, type ControlRequest, LineReader, readAnswer } from '../server/control-protocol.ts'
import type { ServerStatus } from '../server/status.ts'

export interface FoundServer {
  /** Its control socket. */
  readonly path: string
  readonly status: ServerStatus
}

// A supervisor does nothing that takes long; one that is silent so long is stopped, or the machine is on its knees.
const STATUS_MS = 5_000

/** All of this user that answer. */
export async function findServers(): Promise<readonly FoundServer[]> {
  const paths: string[] = []
  for (const folder of controlFolders()) {
    if (!(await isPrivate(folder))) continue
    const names = await readdir(folder)
    paths.push(...names.filter(name => /^\d+\.sock$/.test(name)).map(name => join(folder, name)))
  }
  const found = await Promise.all(
    paths.map(async path => {
      try {
        return { path, status: (await ask(path, { command: 'status' }, STATUS_MS)) as ServerStatus }
      } catch {
        return undefined
      }
    }),
  )
  return found.filter(server => server !== undefined)
}

/**
 * The server that is meant: by its socket, by port or pid, or because it is the only one.
 *
 * @returns path of its control socket
 * @throws ControlError `CONTROL_NO_SERVER`, `CONTROL_SEVERAL`
 */
export async function chooseServer(wanted: number | undefined, socket: string | undefined): Promise<string> {
  if (socket !== undefined) return socket
  const servers = await findServers()
  const meant = wanted === undefined ? servers : servers.filter(({ status }) => isMeant(status, wanted))
  // Of one that leaves after an upgrade and its successor the latter is meant.
  const staying = meant.filter(({ status }) => !status.isStopping)
  if (staying.length === 1) return staying[0]!.path
  if (meant.length === 1) return meant[0]!.path
  if (meant.length > 1)
    throw new ControlError(
      'CONTROL_SEVERAL',
      `${meant.length} servers run; --server says which, by port or pid:\n${list(meant)}`,
    )
  if (servers.length > 0)
    throw new ControlError(
      'CONTROL_NO_SERVER',
      `no server has the port or the pid ${wanted}; there is\n${list(servers)}`,
    )
  throw new ControlError(
    'CONTROL_NO_SERVER',
    `no server of this user was found in ${controlFolders().join(' or ')}; --socket names the control socket of another`,
  )
}

function isMeant({ pid, url }: ServerStatus, wanted: number): boolean {
  return pid === wanted || (/^https?:/.test(url) && portOf(url) === wanted)
}

function portOf(url: string): number {
  const { port, protocol } = new URL(url)
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port)
}

function list(servers: readonly FoundServer[]): string {
  return servers.map(({ status: { pid, url, title } }) => `  pid ${pid}  ${url || 'starting'}  ${title}`).join('\n')
}

/**
 * @param timeoutMs  none: a reload takes as long as it takes
 * @returns the result; for stop once the server has ended
 * @throws ControlError what the server says, or `CONTROL_NO_SERVER` when nobody answers
 */
export async function ask(path: string, request: ControlRequest, timeoutMs?: number): Promise<unknown> {
  const socket = net.connect(path)
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => socket.destroy(), timeoutMs)
  try {
    await once(socket, 'connect').catch((error: unknown) => {
      throw unreachable(path, error as NodeJS.ErrnoException)
    })
    socket.write(`${JSON.stringify(request)}\n`)
    // Answers are as long as they are.
    const lines = new LineReader(Infinity)
    let result: unknown
    for await (const bytes of socket) {
      const [line] = lines.push(bytes as Buffer)
      if (line === undefined) continue
      const answer = readAnswer(line)
      if (!answer.ok) throw new ControlError(answer.error.code, answer.error.message)
      result = answer.result
      // Its end is the end of the connection.
      if (request.command !== 'stop') return result
    }
    if (result !== undefined) return result
    throw new ControlError('CONTROL_NO_SERVER', `the server ended before it answered (${path})`)
  } catch (error) {
    if (error instanceof ControlError) throw error
    throw unreachable(path, error as NodeJS.ErrnoException)
  } finally {
    clearTimeout(timer)
    socket.destroy()
  }
}

function unreachable(path: string, error: NodeJS.ErrnoException): ControlError {
  const why =
    error.code === 'EACCES'
      ? `may not be opened by this user (${process.getuid?.()}): it is for who runs the server`
      : error.code === 'ENOENT'
        ? 'is not there: no server has it as its control socket'
        : error.code === 'ECONNREFUSED'
          ? 'is what a server left that was killed: nobody listens there'
          : `does not answer (${error.code ?? error.message})`
  return new ControlError('CONTROL_NO_SERVER', `${path} ${why}`, { cause: error })
}
