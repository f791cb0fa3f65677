// Tells systemd how the server is (sd_notify(3)): ready, reloading, stopping, alive.
//
// Through systemd-notify(1), because it is a unix datagram that has to be sent, and Node has no sockets of that kind. Nothing is started
// where nobody listens: NOTIFY_SOCKET is set by systemd for units of Type=notify, and by whoever wants the same.
import { execFile } from 'node:child_process'
import type { Environment } from './environment.ts'
import type { Logger } from '../observe/logger.ts'

// systemd answers at once; a manager that hangs must not hold up ours.
const NOTIFY_MS = 5_000

export class ServiceManager {
  readonly #environment: Environment
  readonly #log: () => Logger
  #last: Promise<void> = Promise.resolve()
  #hasFailed = false
  #watchdog: NodeJS.Timeout | undefined

  /** @param environment  of this process itself: variables of .env were not meant for it */
  constructor(environment: Environment, log: () => Logger) {
    this.#environment = environment
    this.#log = log
  }

  get isThere(): boolean {
    const { NOTIFY_SOCKET: socket = '' } = this.#environment
    return socket !== ''
  }

  /** In the order of the calls. Resolves when it has been told, or could not be, which is logged once. */
  tell(...assignments: readonly string[]): Promise<void> {
    if (!this.isThere) return this.#last
    return (this.#last = this.#last
      .then(() => this.#send(assignments))
      // For want of memory it is thrown.
      .catch((error: unknown) => this.#failed(error)))
  }

  /** What the manager shows beside the state. */
  ready(status: string): Promise<void> {
    return this.tell('READY=1', `STATUS=${status}`)
  }

  /** Type=notify-reload waits for ready(), and for a time that is not before its own. */
  reloading(): Promise<void> {
    return this.tell('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`, 'STATUS=reloading')
  }

  stopping(): Promise<void> {
    return this.tell('STOPPING=1', 'STATUS=stopping: requests in flight are finished')
  }

  /**
   * Twice in the time after which systemd restarts the unit, as it asks for in sd_watchdog_enabled(3).
   *
   * @param isAlive  whether anybody is served; when not, nothing is said, and the time runs
   */
  startWatchdog(isAlive: () => boolean): void {
    const { WATCHDOG_USEC: micros = '', WATCHDOG_PID: meant } = this.#environment
    if (!this.isThere || !/^[1-9]\d{0,15}$/.test(micros) || (meant || String(process.pid)) !== String(process.pid))
      return
    const eachMs = Math.max(1, Math.floor(Number(micros) / 2000))
    this.#watchdog = setInterval(() => {
      if (isAlive()) void this.tell('WATCHDOG=1')
    }, eachMs)
  }

  stopWatchdog(): void {
    clearInterval(this.#watchdog)
  }

  #send(assignments: readonly string[]): Promise<void> {
    return new Promise(resolve => {
      execFile(
        'systemd-notify',
        assignments,
        { env: { ...this.#environment }, timeout: NOTIFY_MS, killSignal: 'SIGKILL' },
        error => {
          if (error) this.#failed(error)
          resolve()
        },
      )
    })
  }

  #failed(error: unknown): void {
    if (this.#hasFailed) return
    this.#hasFailed = true
    const { code, message } = error as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'it is not installed' : message
    this.#log().warn(`systemd is not told how the server is: systemd-notify cannot be run: ${why}`)
  }
}
