// Starts the command line as a process of its own and knows how to wait for what it says and to ask how it is.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { TestContext } from 'node:test'
import type { ServerStatus } from '../../src/server/status.ts'

export const ROOT = join(import.meta.dirname, '../..')
export const APPS = join(ROOT, 'test/fixtures/apps')

export interface CommandOptions {
  readonly directory?: string
  readonly environment?: Readonly<Record<string, string>>
  /** At most so many descriptors in each of its processes. */
  readonly descriptors?: number
  /** An open one of ours, which becomes its descriptor 3. */
  readonly passed?: number
  /** With the variables that systemd sets for a socket that it passes. */
  readonly isActivated?: boolean
  /** As process 1 of a namespace of its own, which needs root. */
  readonly isFirst?: boolean
}

/** A started command: what it printed so far, and its end. */
export class RunningCommand {
  readonly child: ChildProcessByStdio<null, Readable, Readable>
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  output = ''
  errors = ''
  /** It has ended, and all that it printed is here. */
  #isOver = false
  #wake: (() => void)[] = []

  constructor(args: readonly string[], options: CommandOptions = {}) {
    const { directory = APPS, environment = {}, descriptors, passed, isActivated = false, isFirst = false } = options
    const { PORT: _port, HOST: _host, WEB_CONCURRENCY: _workers, ...inherited } = process.env
    const first = isFirst ? ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'] : []
    const command = [...first, process.execPath, '--conditions=millrace-source', join(ROOT, 'src/cli/main.ts'), ...args]
    // By a shell that becomes it: nobody else knows its pid before it runs.
    const setUp = [
      descriptors === undefined ? '' : `ulimit -n ${descriptors} && `,
      isActivated ? 'LISTEN_PID=$$ LISTEN_FDS=1 ' : '',
    ].join('')
    const [file, ...rest] = setUp === '' ? command : ['sh', '-c', `${setUp}exec "$@"`, 'sh', ...command]
    this.child = spawn(file!, rest, {
      cwd: directory,
      env: { ...inherited, ...environment },
      stdio: ['ignore', 'pipe', 'pipe', ...(passed === undefined ? [] : [passed])],
    }) as ChildProcessByStdio<null, Readable, Readable>
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => this.#heard((this.output += text)))
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => this.#heard((this.errors += text)))
    this.exited = once(this.child, 'close').then(([code, signal]) => {
      this.#isOver = true
      this.#heard('')
      return { code: code as number | null, signal: signal as NodeJS.Signals | null }
    })
  }

  get pid(): number {
    return this.child.pid!
  }

  /** Resolves with the first match in what it prints, now or later. @throws when it ends before that */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(`${this.output}\n${this.errors}`)
      if (match) return match
      if (this.#isOver) throw new Error(`ended without saying ${pattern}:\n${this.output}${this.errors}`)
      await new Promise<void>(resolve => this.#wake.push(resolve))
    }
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name)
  }

  #heard(_text: string): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

export interface RunningServer extends RunningCommand {
  readonly url: string
  readonly port: number
  /** Where it tells how it is. */
  readonly admin: string
  status(): Promise<ServerStatus>
  /** Asks until the answer is as wanted. */
  statusWhen(isWanted: (status: ServerStatus) => boolean): Promise<ServerStatus>
}

/** `millrace serve` or `dev` on free ports, ended with the test. Resolves when it is ready. */
export async function startServer(
  context: TestContext,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<RunningServer> {
  const command = new RunningCommand([...args, '--admin', '127.0.0.1:0'], options)
  atEnd(context, () => {
    command.child.kill('SIGKILL')
    return command.exited
  })
  const [, url] = (await command.says(/^ +(https?:\S+|unix:\S+|fd:\S+)/m)) as unknown as [string, string]
  const [, admin] = (await command.says(/^ +admin (http:\S+)\/status$/m)) as unknown as [string, string]
  const status = async (): Promise<ServerStatus> => {
    const answer = await fetch(`${admin}/status`, CLOSE)
    return (await answer.json()) as ServerStatus
  }
  const statusWhen = async (isWanted: (status: ServerStatus) => boolean): Promise<ServerStatus> => {
    for (;;) {
      const found = await status()
      if (isWanted(found)) return found
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }
  const port = url.startsWith('http') ? Number(new URL(url).port) : 0
  return Object.assign(command, { url, port, status, statusWhen, admin })
}

const endings = new WeakMap<TestContext, (() => unknown)[]>()

/** What is made last ends first: hooks of a test run in the order in which they were made, and a server still writes into its folder. */
export function atEnd(context: TestContext, end: () => unknown): void {
  const known = endings.get(context)
  if (known) return void known.push(end)
  const ends = [end]
  endings.set(context, ends)
  context.after(async () => {
    for (const each of ends.reverse()) await each()
  })
}

/** Gone with the test, after the servers that were started later. */
export async function temporaryFolder(context: TestContext, below = tmpdir()): Promise<string> {
  const folder = await mkdtemp(join(below, 'millrace-'))
  // A worker that is on its way out may write once more.
  atEnd(context, () => rm(folder, { recursive: true, force: true, maxRetries: 20 }))
  return folder
}

/** On a connection of its own: one that is kept is waited for by who ends, and may be on its way out when it is used again. */
export const CLOSE = { headers: { connection: 'close' } } as const

/** Nobody listens there now, and is not likely to before you do. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** A zombie that nobody has reaped yet (a container without an init) does not run any more. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !existsSync('/proc/self/stat') || !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
