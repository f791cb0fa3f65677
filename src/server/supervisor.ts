// The process that runs the workers. It serves no requests and runs no user code, so that nothing an app does can take it down.
//
//   start    read the app in a child, bind the socket, start services, then the workers; ready when they are
//   keep     a worker that dies is replaced, after a while if it keeps dying; one that falls silent is killed and replaced
//   reload   read the app again, replace the workers one by one (reload.ts); what fails leaves the old ones serving
//   scale    one more or one fewer
//   stop     readiness red, workers drain, then services, admin listener, socket
import { type Logger, createLogger } from '../observe/logger.ts'
import { type Admin, openAdmin } from './admin.ts'
import { addCounters, type Counters, NO_COUNTS, totalsOnly } from './counters.ts'
import { failureOf } from './errors.ts'
import { fixedChanges, type Generation, type GenerationSource, readGeneration } from './generation.ts'
import { type HeldSocket, holdSocket, listenAddress, type ListenAddress } from './listener.ts'
import type { DrainMode, FromWorker, StartedService } from './messages.ts'
import { Relay } from './relay.ts'
import { roll, type Slot } from './reload.ts'
import { RestartPolicy } from './restart-policy.ts'
import { Services } from './services.ts'
import type { ServerStatus } from './status.ts'
import { endedHow, type WorkerExit, WorkerProcess } from './worker-process.ts'

export interface StartedServer {
  readonly address: ListenAddress
  /** Undefined when it is off. */
  readonly admin: string | undefined
  readonly generation: Generation
  readonly workers: number
  readonly tookMs: number
}

const WATCH_MS = 1_000
// Ten heartbeats missed. Node's own long pauses (a large heap collected, a machine swapping) stay below.
const SILENT_TICKS = 10

export class Supervisor {
  readonly #source: GenerationSource
  readonly #workers = new Set<WorkerProcess>()
  readonly #slots = new Map<number, Slot>()
  readonly #relay = new Relay<WorkerProcess>(this.#workers)
  readonly #services = new Services()
  readonly #stopAsked = new AbortController()
  readonly #finished = Promise.withResolvers<void>()
  readonly #startedAtMs = Date.now()
  #log: Logger = createLogger({ format: 'lines' })
  #generation: Generation | undefined
  #startedServices: readonly StartedService[] = []
  #socket: HeldSocket | undefined
  #admin: Admin | undefined
  #watch: NodeJS.Timeout | undefined
  #hasStarted = false
  #reload: { readonly abort: AbortController; readonly done: Promise<boolean> } | undefined
  #buried: Counters = NO_COUNTS
  #restarts = 0
  #reloads = 0

  constructor(source: GenerationSource) {
    this.#source = source
  }

  /** Resolves when everything this supervisor started is gone. */
  get finished(): Promise<void> {
    return this.#finished.promise
  }

  get isStopping(): boolean {
    return this.#stopAsked.signal.aborted
  }

  /**
   * @returns undefined when stop() came first
   * @throws SettingsError or StartError; by then all that was started has ended
   */
  async start(): Promise<StartedServer | undefined> {
    const beganMs = performance.now()
    try {
      const generation = await readGeneration(this.#source, this.#stopAsked.signal)
      this.#use(generation)
      const { settings, explicit, manifest } = generation
      const socket = await holdSocket(listenAddress(settings))
      this.#socket = socket
      this.#admin = await openAdmin(settings.admin, explicit.has('admin'), () => this.status(), this.#log)
      await this.#startServices(manifest.services)
      await this.#startFirstWorkers(settings.workers)
      if (this.isStopping) return undefined
      this.#hasStarted = true
      this.#watch = setInterval(() => this.#killSilent(), WATCH_MS)
      const tookMs = performance.now() - beganMs
      return { address: socket.address, admin: this.#admin?.url, generation, workers: this.#slots.size, tookMs }
    } catch (error) {
      const wasStopped = this.isStopping
      await this.stop('quick')
      if (wasStopped) return undefined
      throw error
    }
  }

  /**
   * Replaces the workers by ones with fresh code and settings; one that runs already starts over with what is there now.
   *
   * @returns false when the new code could not be loaded or did not start, which is logged: the old workers go on
   */
  async reload(): Promise<boolean> {
    if (!this.#hasStarted || this.isStopping) return false
    const before = this.#reload
    const abort = new AbortController()
    const done = (async () => {
      before?.abort.abort()
      await before?.done
      return this.#reloadOnce(AbortSignal.any([abort.signal, this.#stopAsked.signal]))
    })()
    this.#reload = { abort, done }
    return done
  }

  /** @param by  1 or -1; there is always at least one worker */
  scale(by: 1 | -1): void {
    if (!this.#hasStarted || this.isStopping) return
    if (by === 1) {
      let number = 1
      while (this.#slots.has(number)) number++
      this.#fill(this.#addSlot(number))
    } else if (this.#slots.size > 1) {
      const last = this.#slots.get(Math.max(...this.#slots.keys()))!
      this.#slots.delete(last.number)
      clearTimeout(last.timer)
      if (last.current) void this.#drain(last.current)
    }
    this.#log.info(`${this.#slots.size} workers wanted`)
    for (const worker of this.#workers) worker.send({ type: 'workers', count: this.#slots.size })
  }

  /** Ends everything; a second call is quick whatever it says. Follow `finished`. */
  async stop(mode: 'orderly' | 'quick'): Promise<void> {
    if (this.isStopping) {
      for (const worker of this.#workers) void worker.drain('quick', 0, 0)
      return this.finished
    }
    this.#stopAsked.abort()
    clearInterval(this.#watch)
    for (const { timer } of this.#slots.values()) clearTimeout(timer)
    const { drainDelay = 0, graceTimeout = 0 } = this.#generation?.settings ?? {}
    if (this.#hasStarted && mode === 'orderly') this.#log.info('stopping: requests in flight are finished first')
    const gone = [...this.#workers].map(worker => {
      if (mode === 'quick') return worker.drain('quick', 0, 0)
      // One that never was open has nothing to finish; one that drains already keeps its own time.
      if (!worker.isOpen) worker.kill()
      return worker.state === 'ready' ? worker.drain(this.#drainMode, drainDelay, graceTimeout) : worker.exited
    })
    await Promise.all(gone)
    for (const error of await this.#services.stop()) this.#log.error({ err: error }, 'a service could not be stopped')
    await this.#admin?.close()
    this.#socket?.close()
    this.#finished.resolve()
  }

  status(): ServerStatus {
    const workers = [...this.#workers].map(({ number, pid, state, readyAtMs, counters }) => ({
      number,
      pid,
      state,
      readyForMs: readyAtMs === undefined ? 0 : Math.round(performance.now() - readyAtMs),
      counters,
    }))
    return {
      title: this.#generation?.manifest.title ?? '',
      hasStarted: this.#hasStarted,
      isStopping: this.isStopping,
      upForMs: Date.now() - this.#startedAtMs,
      wantedWorkers: this.#slots.size,
      restarts: this.#restarts,
      reloads: this.#reloads,
      total: workers.reduce((sum, { counters }) => addCounters(sum, counters), this.#buried),
      workers,
    }
  }

  get #drainMode(): DrainMode {
    return this.#source.command === 'dev' ? 'prompt' : 'orderly'
  }

  #use(generation: Generation): void {
    this.#generation = generation
    this.#log = createLogger({ level: generation.settings.logLevel, format: 'lines' })
  }

  async #startServices(specs: Generation['manifest']['services']): Promise<void> {
    if (this.isStopping) return
    await this.#services.start(specs)
    this.#startedServices = await this.#services.started()
  }

  /** A first generation of which no worker becomes ready ends the start; one that is ready is enough to go on with the others. */
  async #startFirstWorkers(count: number): Promise<void> {
    if (this.isStopping) return
    for (let number = 1; number <= count; number++) this.#addSlot(number)
    const slots = [...this.#slots.values()]
    const first = slots.map(slot => (slot.current = this.#launch(slot)))
    const outcomes = await Promise.allSettled(first.map(worker => worker.ready))
    const failures = outcomes.filter(outcome => outcome.status === 'rejected')
    if (failures.length === count) throw failures[0]!.reason
    for (const { reason } of failures) this.#log.error((reason as Error).message)
    for (const slot of slots) if (!slot.current) this.#fill(slot)
  }

  #addSlot(number: number): Slot {
    const slot: Slot = { number, restarts: new RestartPolicy(), current: undefined, timer: undefined }
    this.#slots.set(number, slot)
    return slot
  }

  #fill(slot: Slot): void {
    if (this.isStopping || slot.current || this.#slots.get(slot.number) !== slot) return
    const worker = this.#launch(slot)
    slot.current = worker
    worker.ready.then(
      () => this.#log.info(`worker ${worker.number} (pid ${worker.pid}) is ready`),
      (error: unknown) => this.#log.error(failureOf(error).message),
    )
  }

  #launch(slot: Slot): WorkerProcess {
    const { environment, settings } = this.#generation!
    const worker = new WorkerProcess({
      plan: {
        app: this.#source.app,
        worker: slot.number,
        workers: Math.max(this.#slots.size, 1),
        settings,
        services: this.#startedServices,
      },
      environment,
      socketFd: this.#socket!.fd,
      onMessage: (from, message) => this.#hear(from, message),
    })
    this.#workers.add(worker)
    void worker.exited.then(exit => this.#bury(worker, slot, exit))
    return worker
  }

  #hear(worker: WorkerProcess, message: FromWorker): void {
    switch (message.type) {
      case 'loaded':
        worker.send({ type: 'open' })
        break
      case 'publish':
        this.#relay.publish(worker, message)
        break
      case 'request':
        this.#relay.request(worker, message)
        break
      case 'answer':
        this.#relay.answer(worker, message)
        break
      case 'service':
        this.#services.address(message.spec).then(
          address => worker.send({ type: 'service', id: message.id, address }),
          (error: unknown) => worker.send({ type: 'service', id: message.id, failure: failureOf(error) }),
        )
        break
    }
  }

  /** What a dead worker counted stays counted. If it still had its place, somebody takes it. */
  #bury(worker: WorkerProcess, slot: Slot, exit: WorkerExit): void {
    this.#workers.delete(worker)
    this.#relay.gone(worker)
    this.#buried = addCounters(this.#buried, totalsOnly(worker.counters))
    if (slot.current !== worker) return
    slot.current = undefined
    if (this.isStopping || !this.#hasStarted || this.#slots.get(slot.number) !== slot) return
    const livedMs = worker.readyAtMs === undefined ? 0 : performance.now() - worker.readyAtMs
    const waitMs = slot.restarts.died(livedMs)
    const when = waitMs === 0 ? 'at once' : `in ${waitMs / 1000} s`
    this.#log.warn(`worker ${worker.number} (pid ${worker.pid}) ${endedHow(exit)}; the next one starts ${when}`)
    this.#restarts++
    slot.timer = setTimeout(() => this.#fill(slot), waitMs)
  }

  async #reloadOnce(signal: AbortSignal): Promise<boolean> {
    const before = this.#generation!
    const beganMs = performance.now()
    try {
      const next = await readGeneration(this.#source, signal)
      for (const name of fixedChanges(before.settings, next.settings))
        this.#log.warn(`${name} has changed; a reload cannot change it, restart for that`)
      await this.#startServices(next.manifest.services)
      if (signal.aborted) return false
      this.#use(next)
      const replaced = await roll({
        slots: [...this.#slots.values()],
        launch: slot => this.#launch(slot),
        drain: worker => this.#drain(worker),
        isWanted: slot => this.#slots.get(slot.number) === slot,
        signal,
      })
      if (signal.aborted) return false
      this.#reloads++
      this.#log.info(`reloaded ${replaced} workers in ${((performance.now() - beganMs) / 1000).toFixed(1)} s`)
      return true
    } catch (error) {
      if (signal.aborted) return false
      this.#use(before)
      this.#log.error(`not reloaded, the old workers go on: ${failureOf(error).message}`)
      return false
    }
  }

  #drain(worker: WorkerProcess): Promise<unknown> {
    if (!worker.isOpen) worker.kill()
    return worker.drain(this.#drainMode, 0, this.#generation!.settings.graceTimeout)
  }

  // Counts its own ticks and not the clock: after a suspended machine wakes, everybody has been silent for hours and nobody hangs.
  #killSilent(): void {
    for (const worker of this.#workers) {
      if (!worker.isOpen || ++worker.silentTicks <= SILENT_TICKS) continue
      this.#log.warn(
        `worker ${worker.number} (pid ${worker.pid}) was silent for ${SILENT_TICKS} s: its event loop is blocked; killed`,
      )
      worker.kill()
    }
  }
}
