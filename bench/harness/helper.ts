// A process of the bench's own beside the servers: a client on the core of the load, which answers each message with one.
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/** Runs a module of bench/clients. @param pin  puts a command on the core of the load */
export function helper(module: string, pin: readonly string[]): Helper {
  const [execPath, ...execArgv] = [...pin, process.execPath, '--conditions=millrace-source']
  return new Helper(fork(join(import.meta.dirname, '../clients', module), { execPath: execPath, execArgv }), module)
}

export class Helper {
  readonly #child: ChildProcess
  readonly #ended: Promise<never>

  constructor(child: ChildProcess, name: string) {
    this.#child = child
    const take = () => void child.kill('SIGKILL')
    process.once('exit', take)
    child.once('exit', () => process.off('exit', take))
    this.#ended = once(child, 'exit').then(([code]) => {
      throw new Error(`${name} ended with ${String(code)}`)
    })
    this.#ended.catch(() => {})
  }

  /** @throws Error when it ends instead of answering */
  async ask<Answer>(message: object): Promise<Answer> {
    const answered = once(this.#child, 'message')
    this.#child.send(message)
    const [answer] = (await Promise.race([answered, this.#ended])) as [Answer]
    return answer
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended.catch(() => {})
  }
}
