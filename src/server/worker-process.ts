// A worker as the supervisor sees it: the child process, what state it is in, and when it became ready or ended.
import type { ChildProcess } from 'node:child_process'
import { forkWorker, LISTEN_FD } from './child-processes.ts'
import { type Counters, NO_COUNTS } from './counters.ts'
import type { Environment } from './environment.ts'
import { errorOf, StartError } from './errors.ts'
import { EXIT } from './exit-codes.ts'
import type { DrainMode, FromWorker, ToWorker, WorkerPlan } from './messages.ts'
import { endedHow, type WorkerExit } from './worker-exit.ts'

/** In this order, except that any can be followed by 'gone'. */
export type WorkerState = 'starting' | 'loaded' | 'ready' | 'draining' | 'gone'

export interface WorkerFacts {
  readonly plan: Omit<WorkerPlan, 'listenFd'>
  readonly environment: Environment
  /** Descriptor of the held socket in this process. */
  readonly socketFd: number
  /** How often the app had been loaded anew before. */
  readonly era: number
  /** One that waits already, with the same environment and socket. */
  readonly child: ChildProcess | undefined
  /** Messages that concern others than this worker alone. */
  readonly onMessage: (worker: WorkerProcess, message: FromWorker) => void
}

// A worker that was told to drain ends within delay and grace by itself, unless its loop is blocked.
const KILL_AFTER_MS = 2_000

export class WorkerProcess {
  readonly number: number
  readonly pid: number
  /** Resolves when the worker listens. @throws StartError when it does not come to that */
  readonly ready: Promise<void>
  readonly exited: Promise<WorkerExit>
  state: WorkerState = 'starting'
  /** The last that it said. */
  counters: Counters = NO_COUNTS
  /** performance.now() when it became ready; undefined before. */
  readyAtMs: number | undefined
  /** By this process. */
  isKilled = false
  readonly era: number
  /** Watch ticks since it was last heard of. */
  silentTicks = 0
  readonly #child: ChildProcess
  readonly #startTimer: NodeJS.Timeout
  #killTimer: NodeJS.Timeout | undefined

  constructor({ plan, environment, socketFd, era, child, onMessage }: WorkerFacts) {
    this.number = plan.worker
    this.era = era
    this.#child = child ?? forkWorker(environment, socketFd, 'cold')
    this.pid = this.#child.pid ?? 0
    const readiness = Promise.withResolvers<void>()
    this.ready = readiness.promise
    // Whoever launches a worker looks at `ready` when it suits; a failure before that is not unhandled.
    this.ready.catch(() => {})
    this.#child.on('message', (message: FromWorker) => {
      if (message.type === 'heartbeat') this.counters = message.counters
      else if (message.type === 'loaded') this.#become('loaded')
      else if (message.type === 'ready') {
        this.#become('ready')
        this.readyAtMs = performance.now()
        clearTimeout(this.#startTimer)
        readiness.resolve()
      } else if (message.type === 'failed') readiness.reject(errorOf(message.failure))
      onMessage(this, message)
      this.silentTicks = 0
    })
    this.exited = new Promise(resolve => {
      const ended = (exit: WorkerExit): void => {
        this.state = 'gone'
        clearTimeout(this.#startTimer)
        clearTimeout(this.#killTimer)
        const when = exit.error === undefined ? ' before it was ready' : ''
        readiness.reject(new StartError('WORKER_ENDED', EXIT.app, `worker ${this.number} ${endedHow(exit)}${when}`))
        resolve(exit)
      }
      this.#child.once('exit', (code, signal) => ended({ code, signal }))
      // One that could not be started never ends. A message to one that has just died is lost with it; its exit is what counts.
      this.#child.on('error', error => {
        if (this.pid === 0) ended({ code: null, signal: null, error })
      })
    })
    const { startTimeout } = plan.settings
    this.#startTimer = setTimeout(() => {
      readiness.reject(
        new StartError(
          'WORKER_SLOW_START',
          EXIT.app,
          `worker ${this.number} was not ready within ${startTimeout / 1000} s; --start-timeout gives it longer`,
        ),
      )
      this.kill()
    }, startTimeout)
    this.send({ type: 'start', plan: { ...plan, listenFd: LISTEN_FD } })
  }

  /** It may be serving requests. */
  get isOpen(): boolean {
    return this.state === 'ready' || this.state === 'draining'
  }

  get isAlive(): boolean {
    return this.state !== 'gone'
  }

  /** @param sent  called when it has been handed to the system, or was lost */
  send(message: ToWorker, sent: () => void = () => {}): void {
    if (this.#child.connected) this.#child.send(message, sent)
    else sent()
  }

  /** The worker ends by itself; it is killed when it has not by the time it should. */
  drain(mode: DrainMode, delayMs: number, graceMs: number): Promise<WorkerExit> {
    if (!this.isAlive) return this.exited
    this.state = 'draining'
    clearTimeout(this.#startTimer)
    this.send({ type: 'drain', mode, delayMs, graceMs })
    clearTimeout(this.#killTimer)
    this.#killTimer = setTimeout(() => this.kill(), delayMs + graceMs + KILL_AFTER_MS)
    return this.exited
  }

  /** It ends by itself, as it has said; it is killed when it has not by the time it should. */
  expectEnd(withinMs: number): void {
    if (!this.isAlive || this.state === 'draining') return
    this.state = 'draining'
    clearTimeout(this.#startTimer)
    this.#killTimer = setTimeout(() => this.kill(), withinMs + KILL_AFTER_MS)
  }

  kill(): void {
    this.isKilled = true
    this.#child.kill('SIGKILL')
  }

  #become(state: WorkerState): void {
    if (this.state !== 'draining' && this.state !== 'gone') this.state = state
  }
}
