// The process that runs the workers. It serves no requests and runs no user code, so that nothing an app does can take it down.
//
//   start    read the app in a child, bind the socket, start services, then the workers; ready when they are
//   keep     a worker that dies or falls silent is replaced (crew.ts)
//   reload   read the app again, replace the workers one by one (reload.ts); what fails leaves the old ones serving
//   scale    one more or one fewer
//   stop     readiness red, workers drain, then services, admin listener, socket
import { randomBytes } from 'node:crypto'
import { createLogger, type Logger } from '../observe/logger.ts'
import { type Admin, openAdmin } from './admin.ts'
import { readCertificate, usesTls } from './certificate.ts'
import { Crew, type Orders } from './crew.ts'
import { failureOf } from './errors.ts'
import { fixedChanges, type Generation, type GenerationSource, readGeneration } from './generation.ts'
import { type HeldSocket, holdSocket, listenAddress, type ListenAddress } from './listener.ts'
import type { StartedService } from './messages.ts'
import { Services } from './services.ts'
import { strangeVariables } from './settings-sources.ts'
import type { ServerStatus } from './status.ts'
import { handedDescriptor } from './systemd.ts'

export interface StartedServer {
  readonly address: ListenAddress
  readonly isTls: boolean
  /** Undefined when it is off. */
  readonly admin: string | undefined
  readonly generation: Generation
  readonly workers: number
  readonly tookMs: number
}

const WATCH_MS = 1_000

export class Supervisor {
  readonly #source: GenerationSource
  readonly #crew = new Crew({
    orders: () => this.#orders(),
    startService: ({ spec }) => this.#services.address(spec),
  })
  readonly #services = new Services()
  readonly #stopAsked = new AbortController()
  readonly #finished = Promise.withResolvers<void>()
  readonly #startedAtMs = Date.now()
  /** For as long as we live: a reload of the workers must not end the sessions of clients. */
  readonly #ticketKeys = randomBytes(48).toString('base64')
  #log: Logger = createLogger({ format: 'lines' })
  #generation: Generation | undefined
  #startedServices: readonly StartedService[] = []
  #socket: HeldSocket | undefined
  #admin: Admin | undefined
  #watch: NodeJS.Timeout | undefined
  #hasStarted = false
  #reload: { readonly abort: AbortController; readonly done: Promise<boolean> } | undefined
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
      const { settings, sources, manifest } = generation
      for (const line of strangeVariables(generation.environment)) this.#log.warn(line)
      if (usesTls(settings)) await readCertificate(settings)
      const fd = settings.fd ?? handedDescriptor(process.env, process.pid)
      const socket = await holdSocket(listenAddress({ ...settings, fd: fd ?? null }))
      this.#socket = socket
      this.#admin = await openAdmin(settings.admin, sources.has('admin'), () => this.status(), this.#log)
      if (!this.isStopping) await this.#startServices(manifest.services)
      if (!this.isStopping) await this.#crew.start(settings.workers)
      if (this.isStopping) return await this.#endStart()
      this.#hasStarted = true
      this.#watch = setInterval(() => this.#crew.killSilent(), WATCH_MS)
      const tookMs = performance.now() - beganMs
      return {
        address: socket.address,
        isTls: usesTls(settings),
        admin: this.#admin?.url,
        generation,
        workers: this.#crew.size,
        tookMs,
      }
    } catch (error) {
      if (this.isStopping) return this.#endStart()
      this.#stopAsked.abort()
      await this.#end()
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
    if (by === 1) this.#crew.grow()
    else this.#crew.shrink()
  }

  /** Ends everything; a second call is quick whatever it says. Resolves when all is gone. */
  async stop(mode: 'orderly' | 'quick'): Promise<void> {
    if (this.isStopping) {
      void this.#crew.dismiss('quick', 0, 0)
      return this.finished
    }
    this.#stopAsked.abort()
    // While it starts, start() notices, and ends what it has begun.
    if (!this.#hasStarted) {
      void this.#crew.dismiss('quick', 0, 0)
      return this.finished
    }
    clearInterval(this.#watch)
    if (mode === 'orderly') this.#log.info('stopping: requests in flight are finished first')
    const { drainDelay, graceTimeout } = this.#generation!.settings
    await this.#crew.dismiss(mode === 'quick' ? 'quick' : this.#drainMode, drainDelay, graceTimeout)
    await this.#end()
  }

  status(): ServerStatus {
    return {
      title: this.#generation?.manifest.title ?? '',
      hasStarted: this.#hasStarted,
      isStopping: this.isStopping,
      upForMs: Date.now() - this.#startedAtMs,
      wantedWorkers: this.#crew.size,
      restarts: this.#crew.restarts,
      reloads: this.#reloads,
      total: this.#crew.counters,
      workers: this.#crew.workers.map(({ number, pid, state, readyAtMs, counters }) => ({
        number,
        pid,
        state,
        readyForMs: readyAtMs === undefined ? 0 : Math.round(performance.now() - readyAtMs),
        counters,
      })),
    }
  }

  get #drainMode(): 'orderly' | 'prompt' {
    return this.#source.command === 'dev' ? 'prompt' : 'orderly'
  }

  #orders(): Orders {
    return {
      app: this.#source.app,
      generation: this.#generation!,
      services: this.#startedServices,
      socketFd: this.#socket!.fd,
      ticketKeys: this.#ticketKeys,
      drainMode: this.#drainMode,
      log: this.#log,
    }
  }

  #use(generation: Generation): void {
    this.#generation = generation
    this.#log = createLogger({ level: generation.settings.logLevel, format: 'lines' })
  }

  async #startServices(specs: Generation['manifest']['services']): Promise<void> {
    await this.#services.start(specs)
    this.#startedServices = await this.#services.started()
  }

  async #reloadOnce(signal: AbortSignal): Promise<boolean> {
    const before = this.#generation!
    const beganMs = performance.now()
    try {
      const next = await readGeneration(this.#source, signal)
      for (const name of fixedChanges(before.settings, next.settings))
        this.#log.warn(`${name} has changed; a reload cannot change it, restart for that`)
      if (usesTls(next.settings)) await readCertificate(next.settings)
      if (!signal.aborted) await this.#startServices(next.manifest.services)
      if (signal.aborted) return false
      this.#use(next)
      const replaced = await this.#crew.roll(signal)
      if (signal.aborted) return false
      this.#reloads++
      const what = replaced === 1 ? '1 worker' : `${replaced} workers`
      this.#log.info(`reloaded ${what} in ${((performance.now() - beganMs) / 1000).toFixed(1)} s`)
      return true
    } catch (error) {
      if (signal.aborted) return false
      this.#use(before)
      this.#log.error(`not reloaded, the old workers go on: ${failureOf(error).message}`)
      return false
    }
  }

  /** stop() came while the server was starting. */
  async #endStart(): Promise<undefined> {
    await this.#end()
    return undefined
  }

  async #end(): Promise<void> {
    await this.#crew.dismiss('quick', 0, 0)
    for (const error of await this.#services.stop()) this.#log.error({ err: error }, 'a service could not be stopped')
    await this.#admin?.close()
    this.#socket?.close()
    this.#finished.resolve()
  }
}
