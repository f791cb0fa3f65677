// One server of a comparison: how to start it, and its life from the first answer to the end of its last process.
import { spawn, type ChildProcess } from 'node:child_process'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { ask, type LoadRequest } from './load-request.ts'
import { processesOf } from './process-tree.ts'

export interface Contender {
  readonly name: string
  /** One line: what it is and what it runs with. */
  readonly about: string
  /** The name of a contender whose process this one is too: the same server under another load. */
  readonly sameAs?: string
  /** It closes a connection that it was asked to close, and does not say so in the answer: wrk counts an error for each, and we do not. */
  readonly closesUnsaid?: boolean
  /** The command that serves on 127.0.0.1:port until SIGTERM; may prepare files first. */
  command(port: number): Promise<Command> | Command
}

export interface Command {
  readonly file: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export interface Running {
  readonly contender: Contender
  readonly origin: string
  readonly pid: number
  stop(): Promise<void>
}

const START_MS = 60_000
const STOP_MS = 10_000

/**
 * Starts it and waits until it answers.
 *
 * @param pin  puts a command on the core of the servers
 * @param request  asked until the answer is 200
 * @throws Error with the server's own output when it ends or stays silent
 */
export async function start(contender: Contender, pin: readonly string[], request: LoadRequest): Promise<Running> {
  const port = await freePort()
  const { file, args, env } = await contender.command(port)
  const [first, ...rest] = [...pin, file, ...args] as [string, ...string[]]
  const child = spawn(first, rest, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  const take = () => void child.kill('SIGTERM')
  process.once('exit', take)
  child.once('exit', () => process.off('exit', take))
  let output = ''
  const keep = (text: string) => (output = (output + text).slice(-4_000))
  child.stdout.setEncoding('utf8').on('data', keep)
  child.stderr.setEncoding('utf8').on('data', keep)
  const failed = new Promise<never>((_, reject) => {
    child.once('error', reject)
    child.once('exit', code => reject(new Error(`${contender.name} ended with ${code}: ${output}`)))
  })
  const origin = `http://127.0.0.1:${port}`
  const running = { contender, origin, pid: child.pid!, stop: () => stop(child) }
  try {
    await Promise.race([failed, answering(origin, request)])
  } catch (error) {
    await stop(child)
    throw new Error(`${contender.name} did not start: ${(error as Error).message}\n${output}`, { cause: error })
  }
  failed.catch(() => {}) // from here on a dead server shows as errors of the load
  return running
}

async function answering(origin: string, request: LoadRequest): Promise<void> {
  const giveUpMs = performance.now() + START_MS
  for (;;) {
    const status = await ask(origin, request).then(
      answer => answer.status,
      () => 0,
    )
    if (status === 200) return
    if (performance.now() > giveUpMs)
      throw new Error(`no 200 for ${request.path} within ${START_MS / 1_000} s (${status})`)
    await delay(50)
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const members = processesOf(child.pid)
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  const inTime = await Promise.race([gone.then(() => true), delay(STOP_MS, false, { ref: false })])
  if (inTime) return
  for (const pid of members) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended by itself.
    }
  }
  await gone
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
