// A Redis server for the tests of one file, on a free port of 127.0.0.1, in a folder that goes with it.
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { eventually, isAlive, temporaryFolder } from './server.ts'

const DOLLAR = 0x24
const MINUS = 0x2d
const PROGRAM = '/usr/bin/redis-server'

/** For `describe`'s and `test`'s options: why these tests are skipped, or false. */
export const withoutRedis: string | false =
  existsSync(PROGRAM) || process.env['CI'] ? false : `wants ${PROGRAM} (Debian: redis-server)`

export class RedisServer {
  readonly port: number
  readonly #folder: string
  readonly #args: readonly string[]
  readonly #password: string | undefined
  #child: ChildProcess | undefined

  private constructor(port: number, folder: string, args: readonly string[], password?: string) {
    this.port = port
    this.#password = password
    this.#folder = folder
    this.#args = args
  }

  /**
   * @param args  as in redis.conf, `['--maxmemory', '2mb']`
   * @param password  where `args` demand one
   */
  static async start(args: readonly string[] = [], port?: number, password?: string): Promise<RedisServer> {
    const server = new RedisServer(port ?? (await freePort()), await temporaryFolder(), args, password)
    await server.start()
    return server
  }

  /** One that somebody else has started. */
  static at(port: number): RedisServer {
    return new RedisServer(port, '', [])
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  get socketPath(): string {
    return join(this.#folder, 'redis.sock')
  }

  get pid(): number {
    return this.#child!.pid!
  }

  /** Again, on the same port and folder. */
  async start(): Promise<void> {
    const child = spawn(
      PROGRAM,
      [
        ...['--port', String(this.port), '--bind', '127.0.0.1', '--unixsocket', this.socketPath],
        ...['--dir', this.#folder, '--save', '', ...this.#args],
      ],
      { stdio: 'ignore' },
    )
    this.#child = child
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`)
      return (await this.command('PING').catch(() => undefined)) === '+PONG' ? true : undefined
    })
  }

  /** kill -9. Resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child!
    this.#child = undefined
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  /** Its process stands still: it accepts connections, and answers nothing. */
  pause(): void {
    this.#child!.kill('SIGSTOP')
  }

  resume(): void {
    this.#child!.kill('SIGCONT')
  }

  async stop(): Promise<void> {
    if (!this.#child || !isAlive(this.#child.pid!)) return
    await this.kill()
  }

  /** One command over a connection of its own. @returns the first line of the answer, or the text that follows a length */
  async command(...words: readonly string[]): Promise<string> {
    const heard = await this.#ask(words)
    const end = heard.indexOf('\r\n')
    const isText = heard[0] === DOLLAR && heard[1] !== MINUS
    return isText ? heard.toString('utf8', end + 2, heard.length - 2) : heard.toString('utf8', 0, end)
  }

  /** The same with bytes. @returns what follows the length */
  async bytes(...words: readonly (string | Buffer)[]): Promise<Buffer> {
    const heard = await this.#ask(words)
    return heard[0] === DOLLAR ? heard.subarray(heard.indexOf('\r\n') + 2, -2) : heard
  }

  async #ask(words: readonly (string | Buffer)[]): Promise<Buffer> {
    const socket = connect(this.port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      if (this.#password !== undefined) {
        socket.write(`AUTH ${this.#password}\r\n`)
        await once(socket, 'data')
      }
      socket.write(`*${words.length}\r\n`)
      for (const word of words) {
        socket.write(`$${Buffer.byteLength(word)}\r\n`)
        socket.write(word)
        socket.write('\r\n')
      }
      let heard: Buffer = Buffer.alloc(0)
      while (!isWhole(heard)) heard = Buffer.concat([heard, (await once(socket, 'data'))[0] as Buffer])
      return heard
    } finally {
      socket.destroy()
    }
  }

  /** The number of commands of a name that it has run. */
  async ran(command: string): Promise<number> {
    const stats = await this.command('INFO', 'commandstats')
    return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
  }
}

function isWhole(heard: Buffer): boolean {
  const end = heard.indexOf('\r\n')
  if (end === -1) return false
  if (heard[0] !== DOLLAR || heard[1] === MINUS) return true
  return heard.length >= end + 4 + Number(heard.toString('latin1', 1, end))
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
