// Keep-alive connections that ask again and again until told to stop, and count every answer and every broken connection.
import net from 'node:net'
import type { TestContext } from 'node:test'
import { TLSSocket } from 'node:tls'
import { atEnd } from './running-server.ts'

export interface Broken {
  readonly error: string
  /** Process that answered last on this connection; 0 before the first answer. */
  readonly pid: number
}

const REFUSED_PAUSE_MS = 20

export class SteadyLoad {
  readonly #connect: () => net.Socket
  readonly #open = new Set<net.Socket>()
  readonly #done: Promise<unknown>
  readonly #pauseMs: number
  #isOver = false
  answered = 0
  readonly broken: Broken[] = []
  readonly pids = new Set<number>()

  /**
   * The path must answer `{ pid }`.
   *
   * @param context  it ends with this test, whatever became of it: a load that runs on would keep the whole file running. undefined: with the process
   * @param connect  a port of this machine, or what makes each connection
   * @param pauseMs  between an answer and the next question; 0 leaves nothing of the processor to whoever else is tested
   */
  constructor(
    context: TestContext | undefined,
    connect: number | (() => net.Socket),
    connections: number,
    pauseMs = 0,
  ) {
    this.#pauseMs = pauseMs
    this.#connect =
      typeof connect === 'number' ? () => net.connect({ port: connect, host: '127.0.0.1', noDelay: true }) : connect
    const end = (): void => {
      this.#isOver = true
      for (const socket of this.#open) socket.destroy()
    }
    if (context) atEnd(context, end)
    this.#done = Promise.all(Array.from({ length: connections }, () => this.#keepConnected()))
  }

  /** Resolves when `count` more requests have been answered. */
  async more(count: number): Promise<void> {
    const until = this.answered + count
    while (this.answered < until) await new Promise(resolve => setTimeout(resolve, 5))
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.#done
  }

  async #keepConnected(): Promise<void> {
    while (!this.#isOver) {
      const wasAnswered = await this.#oneConnection()
      // Where nobody listens it would be refused some thousand times a second, and each is kept.
      if (!wasAnswered) await new Promise(resolve => setTimeout(resolve, REFUSED_PAUSE_MS))
    }
  }

  /** @returns whether it was answered at all */
  #oneConnection(): Promise<boolean> {
    return new Promise(resolve => {
      const socket = this.#connect()
      this.#open.add(socket)
      let [pid, text, isWaiting] = [0, '', false]
      const ask = (): void => {
        isWaiting = true
        socket.write('GET / HTTP/1.1\r\nHost: load\r\n\r\n')
      }
      const broke = (error: string): void => {
        if (isWaiting || error !== 'closed') this.broken.push({ error, pid })
        isWaiting = false
      }
      socket.on(socket instanceof TLSSocket ? 'secureConnect' : 'connect', ask)
      socket.on('data', (bytes: Buffer) => {
        text += bytes.toString('latin1')
        const match = /^HTTP\/1\.1 (\d+)[^]*?\r\n\r\n(\{[^]*\})$/.exec(text)
        if (!match) return
        if (match[1] !== '200') this.broken.push({ error: match[1]!, pid })
        pid = (JSON.parse(match[2]!) as { pid: number }).pid
        this.pids.add(pid)
        this.answered++
        isWaiting = false
        const closes = /^connection: close\r$/im.test(text)
        text = ''
        if (closes || this.#isOver) socket.destroy()
        else if (this.#pauseMs === 0) ask()
        else setTimeout(() => (this.#isOver ? socket.destroy() : ask()), this.#pauseMs)
      })
      socket.on('error', error => broke((error as NodeJS.ErrnoException).code ?? error.message))
      socket.on('end', () => broke('closed'))
      socket.on('close', () => {
        this.#open.delete(socket)
        resolve(pid !== 0)
      })
    })
  }
}
