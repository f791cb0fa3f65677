// The process that runs the workers. It serves no requests and runs no user code, so that nothing an app does can take it down.
//
//   start    read the app in a child, bind the socket, start services, then the workers; ready when they are
//   keep     a worker that dies or falls silent is replaced (crew.ts)
//   reload   read the app again, replace the workers one by one (reload.ts); what fails leaves the old ones serving
//   scale    one more or one fewer
//   command  what `millrace ctl` asks for, by the control socket (control-socket.ts)
//   upgrade  a new process takes the sockets, and this one stops (upgrade.ts)
//   stop     readiness red, workers drain, then services, and what the server holds (holdings.ts)
import { randomBytes } from 'node:crypto'
import { createLogger, type Logger } from '../observe/logger.ts'
import { Autoscale } from './autoscale.ts'
import { skewOf } from './balance.ts'
import { readCertificate, usesTls } from './certificate.ts'
import { type ChangeOutcome, Changes } from './changes.ts'
import type { Controlled } from './control-commands.ts'
import { ControlError } from './control-protocol.ts'
import { Crew, type Orders } from './crew.ts'
import { failureOf } from './errors.ts'
import { fixedChanges, type Generation, type GenerationSource, readGeneration } from './generation.ts'
import type { Predecessor } from './handover.ts'
import { Holdings } from './holdings.ts'
import type { InspectionOrder } from './inspection.ts'
import { type HookName, runHook } from './hooks.ts'
import { type ListenAddress, urlOf } from './listener.ts'
import type { StartedService } from './messages.ts'
import { ServiceManager } from './notify.ts'
import type { Relaunch } from './relaunch.ts'
import { Services } from './services.ts'
import { strangeVariables } from './settings-sources.ts'
import type { ServerStatus } from './status.ts'
import { refusePlatform, surroundingWarnings } from './surroundings.ts'
import { giveWay } from './upgrade.ts'
import { WarmProcesses } from './warm-processes.ts'

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

/** How this process came to be, where it may be more than a program that was started. */
export interface Kin {
  /** What started it, to be started again. */
  readonly relaunch?: Relaunch
  /** The server whose place it takes. */
  readonly predecessor?: Predecessor | undefined
}

export class Supervisor implements Controlled {
  readonly #source: GenerationSource
  readonly #crew = new Crew({
    orders: () => this.#orders(),
    startService: ({ spec }) => this.#services.address(spec),
  })
  readonly #services = new Services()
  readonly #warm: WarmProcesses | undefined
  readonly #stopAsked = new AbortController()
  /** Asked again: what takes long is ended. */
  readonly #quick = new AbortController()
  readonly #finished = Promise.withResolvers<void>()
  readonly #startedAtMs = performance.now()
  /** For as long as we live: a reload of the workers must not end the sessions of clients. */
  #ticketKeys = randomBytes(48).toString('base64')
  readonly #changes = new Changes(this.#stopAsked.signal, () => this.#place === 'left')
  readonly #manager = new ServiceManager(process.env, () => this.#log)
  readonly #kin: Kin
  /** Whether others know this process as the server: not yet while a predecessor has not let go, not any more when a successor serves. */
  #place: 'awaited' | 'ours' | 'left'
  #log: Logger = createLogger({ format: 'lines' })
  #generation: Generation | undefined
  /** The latest with which every worker has started. */
  #proven: Generation | undefined
  #startedServices: readonly StartedService[] = []
  #holdings: Holdings | undefined
  #watch: NodeJS.Timeout | undefined
  #hasStarted = false
  readonly #autoscale = new Autoscale()
  #reloads = 0

  constructor(source: GenerationSource, kin: Kin = {}) {
    this.#source = source
    this.#warm = source.command === 'dev' ? new WarmProcesses() : undefined
    this.#kin = kin
    this.#place = kin.predecessor === undefined ? 'ours' : 'awaited'
    // Nobody's child: whoever wanted this server is gone.
    kin.predecessor?.lost.addEventListener('abort', () => void this.stop('quick'))
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
      refusePlatform(process.platform)
      const estate = await this.#unlessStopped(this.#kin.predecessor?.estate)
      if (estate) this.#ticketKeys = estate.ticketKeys
      const generation = await readGeneration(this.#source, this.#stopAsked.signal)
      this.#use(generation)
      const { settings, sources, manifest } = generation
      for (const line of strangeVariables(generation.environment)) this.#log.warn(line)
      if (usesTls(settings)) await readCertificate(settings)
      for (const line of surroundingWarnings(process.pid)) this.#log.warn(line)
      const holdings = (this.#holdings = await Holdings.open({
        settings,
        asksForAdmin: sources.has('admin'),
        controlled: this,
        log: this.#log,
        estate,
      }))
      if (estate) void this.#crew.withholdLead()
      if (!this.isStopping) await this.#startServices(manifest.services)
      if (!this.isStopping) await this.#hook('onStart', this.#stopAsked.signal)
      if (!this.isStopping) await this.#crew.start(settings.workers)
      if (!this.isStopping) await this.#hook('onReady', this.#stopAsked.signal)
      if (this.isStopping) return await this.#endStart()
      this.#proven = generation
      this.#hasStarted = true
      this.#prepareNext()
      this.#watch = setInterval(() => this.#look(), WATCH_MS)
      if (estate) {
        await this.#unlessStopped(this.#kin.predecessor!.ready())
        if (this.isStopping) return await this.finished.then(() => undefined)
        this.#place = 'ours'
        await holdings.takeOver()
        void this.#kin.predecessor!.unled.then(() => this.#crew.grantLead())
      }
      void this.#manager.ready(this.#statusLine)
      this.#startWatchdog()
      const tookMs = performance.now() - beganMs
      return {
        address: holdings.address,
        isTls: usesTls(settings),
        admin: holdings.adminUrl,
        generation,
        workers: this.#crew.size,
        tookMs,
      }
    } catch (error) {
      if (this.isStopping) return this.#endStart()
      this.#stopAsked.abort()
      await this.#end()
      await this.#kin.predecessor?.failed(failureOf(error))
      throw error
    }
  }

  /**
   * Replaces the workers by ones with fresh code and settings; one that runs already starts over with what is there now.
   *
   * @returns 'failed' when the new code could not be loaded or did not start, which is logged: the old workers go on. Of a reload that
   *   started over, how the later one ended
   */
  async reload(): Promise<ChangeOutcome> {
    if (!this.#hasStarted) return this.#tooEarly('reloaded')
    return this.#changes.makeAnew('reload', signal => this.#reloadOnce(signal))
  }

  /**
   * One worker finishes and ends, and another takes its place before.
   *
   * @param worker  its number or its pid
   * @throws ControlError `CONTROL_NO_WORKER`, and `CONTROL_BUSY` during a reload, which replaces every worker
   */
  async replace(worker: number): Promise<ChangeOutcome> {
    if (!this.#hasStarted || this.isStopping || this.#changes.isUnderWay)
      throw new ControlError('CONTROL_BUSY', 'workers are being started or replaced; ask again when that is done')
    return this.#changes.make('replacement', async signal => {
      const beganMs = performance.now()
      const replaced = await this.#crew.replace(worker, signal)
      if (signal.aborted) return { state: 'superseded' }
      this.#log.info(`worker ${worker} was replaced`)
      return { state: 'done', replaced, tookMs: performance.now() - beganMs }
    })
  }

  /** @throws StartError of a worker that did not become ready; it is tried again */
  async scaleTo(workers: number): Promise<number> {
    if (!this.#hasStarted)
      throw new ControlError('CONTROL_BUSY', 'the server has not started yet; ask again when it has')
    while (this.#crew.size < workers && !this.isStopping) this.scale(1)
    while (this.#crew.size > workers && !this.isStopping) this.scale(-1)
    await this.#crew.complete()
    return this.#crew.size
  }

  /** @throws ControlError */
  async inspect(worker: number, order: InspectionOrder): Promise<number> {
    return this.#crew.inspect(worker, order)
  }

  /** @throws ControlError */
  async purge(tags: readonly string[]): Promise<void> {
    if (!this.#hasStarted)
      throw new ControlError('CONTROL_BUSY', 'the server has not started yet; ask again when it has')
    await this.#crew.purge(tags)
  }

  /** Packages have changed: what was loaded of them ahead of time is out of date. */
  forgetPackages(): void {
    this.#warm?.clear()
  }

  /**
   * A new process of the same command line takes our place, with the Millrace that is installed now; then this one drains and ends.
   *
   * @returns 'failed' when the new one did not become ready, which is logged: this one goes on
   */
  async upgrade(): Promise<ChangeOutcome> {
    const { relaunch } = this.#kin
    if (!this.#hasStarted || relaunch === undefined) return this.#tooEarly('upgraded')
    return this.#changes.make('upgrade', signal => this.#upgradeOnce(relaunch, signal))
  }

  /** Files that may have been replaced are read again. */
  reopen(): void {
    this.#crew.reopen()
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
      this.#quick.abort()
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
    // Else another process is the server, and goes on: nobody has to look away from us, and nothing ends.
    const isOurs = this.#place === 'ours'
    if (mode === 'orderly') this.#log.info(`${isOurs ? 'stopping' : 'leaving'}: requests in flight are finished first`)
    if (isOurs) void this.#manager.stopping()
    const { drainDelay, graceTimeout } = this.#generation!.settings
    const delayMs = isOurs ? drainDelay : 0
    await this.#crew.dismiss(mode === 'quick' ? 'quick' : this.#drainMode, delayMs, graceTimeout)
    if (mode === 'orderly' && isOurs)
      await this.#hook('onStop', this.#quick.signal).catch(error => this.#log.error(failureOf(error).message))
    await this.#end()
  }

  status(): ServerStatus {
    return {
      title: this.#generation?.manifest.title ?? '',
      pid: process.pid,
      url: this.#url,
      hasStarted: this.#hasStarted,
      isStopping: this.isStopping,
      upForMs: Math.round(performance.now() - this.#startedAtMs),
      wantedWorkers: this.#crew.size,
      leader: this.#crew.leader,
      restarts: this.#crew.restarts,
      reloads: this.#reloads,
      recycles: this.#crew.recycles,
      connectionSkew: skewOf(this.#crew.workers.filter(({ state }) => state === 'ready')),
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

  /** '' until it has one. */
  get #url(): string {
    return this.#holdings === undefined ? '' : urlOf(this.#holdings.address, usesTls(this.#generation!.settings))
  }

  get #statusLine(): string {
    return `${this.#crew.size} ${this.#crew.size === 1 ? 'worker serves' : 'workers serve'} ${this.#url}`
  }

  get #drainMode(): 'orderly' | 'prompt' {
    return this.#isDevelopment ? 'prompt' : 'orderly'
  }

  get #isDevelopment(): boolean {
    return this.#source.command === 'dev'
  }

  #orders(): Orders {
    return {
      app: this.#source.app,
      generation: this.#generation!,
      services: this.#startedServices,
      socketFd: this.#holdings!.socketFd,
      ticketKeys: this.#ticketKeys,
      drainMode: this.#drainMode,
      isDevelopment: this.#isDevelopment,
      log: this.#log,
      warm: this.#warm,
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

  #tooEarly(what: string): ChangeOutcome {
    const message = 'the server has not started yet'
    this.#log.warn(`not ${what}: ${message}; ask again when it has`)
    return { state: 'failed', message }
  }

  async #reloadOnce(signal: AbortSignal): Promise<ChangeOutcome> {
    const proven = this.#proven!
    const beganMs = performance.now()
    void this.#manager.reloading()
    try {
      const next = await readGeneration(this.#source, signal, this.#warm)
      for (const name of fixedChanges(proven.settings, next.settings))
        this.#log.warn(`${name} has changed; a reload cannot change it, restart for that`)
      if (usesTls(next.settings)) await readCertificate(next.settings)
      if (!signal.aborted) await this.#startServices(next.manifest.services)
      if (signal.aborted) return { state: 'superseded' }
      this.#use(next)
      await this.#hook('onReload', signal)
      const replaced = await this.#crew.roll(signal)
      if (signal.aborted) {
        if (replaced === 0) this.#use(proven)
        return { state: 'superseded' }
      }
      this.#proven = next
      this.#reloads++
      const what = replaced === 1 ? '1 worker' : `${replaced} workers`
      const tookMs = performance.now() - beganMs
      this.#log.info(`reloaded ${what} in ${(tookMs / 1000).toFixed(1)} s`)
      return { state: 'done', replaced, tookMs }
    } catch (error) {
      this.#use(proven)
      if (signal.aborted) return { state: 'superseded' }
      const { message } = failureOf(error)
      this.#log.error(`not reloaded, the old workers go on: ${message}`)
      if (this.#isDevelopment) for (const worker of this.#crew.workers) worker.send({ type: 'broken', message })
      return { state: 'failed', message }
    } finally {
      if (!this.isStopping) void this.#manager.ready(this.#statusLine)
      this.#prepareNext()
    }
  }

  /** @throws StartError of a function that failed or took too long, or whose module cannot be loaded */
  async #hook(name: HookName, signal: AbortSignal): Promise<void> {
    const { environment, settings } = this.#generation!
    const timeoutMs = name === 'onStop' ? settings.graceTimeout : settings.startTimeout
    await runHook({ name, file: settings.hooks, environment, services: this.#startedServices, timeoutMs, signal })
  }

  /** Once a second. */
  #look(): void {
    this.#crew.watch()
    const { workers: least, maxWorkers: most } = this.#generation!.settings
    if (most === null) return
    const utilisations = this.#changes.isUnderWay ? undefined : this.#crew.utilisations
    if (utilisations === undefined) return this.#autoscale.startOver()
    const by = this.#autoscale.look(utilisations, { least, most })
    if (by === 0) return
    const mean = utilisations.reduce((sum, each) => sum + each, 0) / utilisations.length
    this.#log.info(`event loops are ${Math.round(mean * 100)}% busy: one worker ${by === 1 ? 'more' : 'fewer'}`)
    this.scale(by)
  }

  /** Processes for the next reload, where there will be many. */
  #prepareNext(): void {
    if (!this.isStopping) this.#warm?.prepare(this.#generation!.environment, this.#holdings!.socketFd)
  }

  async #upgradeOnce(relaunch: Relaunch, signal: AbortSignal): Promise<ChangeOutcome> {
    const beganMs = performance.now()
    try {
      const successor = await giveWay({
        relaunch,
        ticketKeys: this.#ticketKeys,
        services: this.#services,
        holdings: this.#holdings!,
        manager: this.#manager,
        log: this.#log,
        signal,
        leave: () => (this.#place = 'left'),
        stay: () => this.#startWatchdog(),
      })
      if (successor === undefined) return { state: 'superseded' }
      void this.#crew.withholdLead().then(() => successor.tellUnled())
      this.#log.info(`upgraded: process ${successor.pid} serves in our place`)
      // Who asked hears of it first.
      setImmediate(() => void this.stop('orderly'))
      return { state: 'done', replaced: this.#crew.size, tookMs: performance.now() - beganMs }
    } catch (error) {
      if (signal.aborted) return { state: 'superseded' }
      const { message } = failureOf(error)
      this.#log.error(`not upgraded, this server goes on: ${message}`)
      return { state: 'failed', message }
    }
  }

  #startWatchdog(): void {
    this.#manager.startWatchdog(() => this.isStopping || this.#crew.isServing)
  }

  /** @returns undefined when the server is told to stop before it comes to that */
  async #unlessStopped<T>(promise: Promise<T> | undefined): Promise<T | undefined> {
    const { signal } = this.#stopAsked
    if (signal.aborted || promise === undefined) return undefined
    const stopped = new Promise<undefined>(resolve =>
      signal.addEventListener('abort', () => resolve(undefined), { once: true }),
    )
    return Promise.race([promise, stopped])
  }

  /** stop() came while the server was starting. */
  async #endStart(): Promise<undefined> {
    await this.#end()
    return undefined
  }

  async #end(): Promise<void> {
    this.#warm?.clear()
    await this.#crew.dismiss('quick', 0, 0)
    for (const error of await this.#services.stop()) this.#log.error({ err: error }, 'a service could not be stopped')
    await this.#holdings?.close()
    this.#manager.stopWatchdog()
    this.#finished.resolve()
  }
}
