// The process that runs the workers. It serves no requests and runs no user code, so that nothing an app does can take it down.
//
//   start    read the app in a child, bind the socket, start services, then the workers; ready when they are
//   keep     a worker that dies or falls silent is replaced (crew.ts)
//   reload   read the app again, replace the workers one by one (reload.ts); what fails leaves the old ones serving
//   scale    one more or one fewer
//   command  what `millrace ctl` asks for, by the control socket (control-socket.ts)
//   upgrade  a new process takes the sockets, and this one stops (handover.ts)
//   stop     readiness red, workers drain, then services, and what the server holds (holdings.ts)
import { randomBytes } from 'node:crypto'
import { createLogger, type Logger } from '../observe/logger.ts'
import { skewOf } from './balance.ts'
import { Autoscale } from './autoscale.ts'
import { readCertificate, usesTls } from './certificate.ts'
import type { Controlled } from './control-commands.ts'
import { ControlError } from './control-protocol.ts'
import { Crew, type Orders } from './crew.ts'
import { failureOf, StartError } from './errors.ts'
import { EXIT } from './exit-codes.ts'
import { fixedChanges, type Generation, type GenerationSource, readGeneration } from './generation.ts'
import { type Predecessor, startSuccessor } from './handover.ts'
import { Holdings } from './holdings.ts'
import type { InspectionOrder } from './inspection.ts'
import { type HookName, runHook } from './hooks.ts'
import { type ListenAddress, urlOf } from './listener.ts'
import type { StartedService } from './messages.ts'
import { ServiceManager } from './notify.ts'
import type { Relaunch } from './relaunch.ts'
import type { ChangeOutcome } from './reload.ts'
import { Services } from './services.ts'
import { strangeVariables } from './settings-sources.ts'
import type { ServerStatus } from './status.ts'
import { refusePlatform, surroundingWarnings } from './surroundings.ts'
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

/** A reload, an upgrade, or the replacement of one worker. */
interface Change {
  readonly abort: AbortController
  readonly done: Promise<ChangeOutcome>
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
  readonly #manager = new ServiceManager(process.env, () => this.#log)
  readonly #kin: Kin
  /** Another process serves in our place. */
  #isSucceeded = false
  #log: Logger = createLogger({ format: 'lines' })
  #generation: Generation | undefined
  #startedServices: readonly StartedService[] = []
  #holdings: Holdings | undefined
  #watch: NodeJS.Timeout | undefined
  #hasStarted = false
  /** The latest; there is one at a time. */
  #change: Change | undefined
  readonly #autoscale = new Autoscale()
  #reloads = 0
  #isChanging = false

  constructor(source: GenerationSource, kin: Kin = {}) {
    this.#source = source
    this.#warm = source.command === 'dev' ? new WarmProcesses() : undefined
    this.#kin = kin
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
      this.#hasStarted = true
      this.#prepareNext()
      this.#watch = setInterval(() => this.#look(), WATCH_MS)
      if (estate) {
        await this.#unlessStopped(this.#kin.predecessor!.ready())
        if (this.isStopping) return await this.finished.then(() => undefined)
        await holdings.takeOver()
        void this.#kin.predecessor!.unled.then(() => this.#crew.grantLead())
      }
      void this.#manager.ready(this.#statusLine)
      this.#manager.startWatchdog(() => this.isStopping || this.#crew.isServing)
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
    if (!this.#hasStarted) return { state: 'failed', message: 'the server has not started yet' }
    let change = this.#begin(signal => this.#reloadOnce(signal))
    for (;;) {
      const outcome = await change.done
      if (outcome.state !== 'superseded' || change === this.#change) return outcome
      change = this.#change!
    }
  }

  /**
   * One worker finishes and ends, and another takes its place before.
   *
   * @param worker  its number or its pid
   * @throws ControlError `CONTROL_NO_WORKER`, and `CONTROL_BUSY` during a reload, which replaces every worker
   */
  async replace(worker: number): Promise<ChangeOutcome> {
    if (!this.#hasStarted || this.isStopping || this.#isChanging)
      throw new ControlError('CONTROL_BUSY', 'workers are being started or replaced; ask again when that is done')
    const { done } = this.#begin(async signal => {
      const beganMs = performance.now()
      const replaced = await this.#crew.replace(worker, signal)
      if (signal.aborted) return { state: 'superseded' }
      this.#log.info(`worker ${worker} was replaced`)
      return { state: 'done', replaced, tookMs: performance.now() - beganMs }
    })
    return done
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
    if (!this.#hasStarted || relaunch === undefined)
      return { state: 'failed', message: 'the server has not started yet' }
    return this.#begin(signal => this.#upgradeOnce(relaunch, signal)).done
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
    const word = this.#isSucceeded ? 'leaving' : 'stopping'
    if (mode === 'orderly') this.#log.info(`${word}: requests in flight are finished first`)
    if (!this.#isSucceeded) void this.#manager.stopping()
    const { drainDelay, graceTimeout } = this.#generation!.settings
    // With a successor nobody has to look away from us.
    const delayMs = this.#isSucceeded ? 0 : drainDelay
    await this.#crew.dismiss(mode === 'quick' ? 'quick' : this.#drainMode, delayMs, graceTimeout)
    // A successor goes on.
    if (mode === 'orderly' && !this.#isSucceeded)
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

  /** Waits for the end of what it supersedes. */
  #begin(act: (signal: AbortSignal) => Promise<ChangeOutcome>): Change {
    const before = this.#change
    const abort = new AbortController()
    const signal = AbortSignal.any([abort.signal, this.#stopAsked.signal])
    const done = (async (): Promise<ChangeOutcome> => {
      before?.abort.abort()
      // How that ended is for those who asked for it.
      await before?.done.catch(() => {})
      return signal.aborted ? { state: 'superseded' } : act(signal)
    })()
    this.#change = { abort, done }
    this.#isChanging = true
    const ended = (): void => {
      if (this.#change?.done === done) this.#isChanging = false
    }
    done.then(ended, ended)
    return this.#change
  }

  async #reloadOnce(signal: AbortSignal): Promise<ChangeOutcome> {
    const before = this.#generation!
    const beganMs = performance.now()
    void this.#manager.reloading()
    try {
      const next = await readGeneration(this.#source, signal, this.#warm)
      for (const name of fixedChanges(before.settings, next.settings))
        this.#log.warn(`${name} has changed; a reload cannot change it, restart for that`)
      if (usesTls(next.settings)) await readCertificate(next.settings)
      if (!signal.aborted) await this.#startServices(next.manifest.services)
      if (signal.aborted) return { state: 'superseded' }
      this.#use(next)
      await this.#hook('onReload', signal)
      const replaced = await this.#crew.roll(signal)
      if (signal.aborted) return { state: 'superseded' }
      this.#reloads++
      const what = replaced === 1 ? '1 worker' : `${replaced} workers`
      const tookMs = performance.now() - beganMs
      this.#log.info(`reloaded ${what} in ${(tookMs / 1000).toFixed(1)} s`)
      return { state: 'done', replaced, tookMs }
    } catch (error) {
      if (signal.aborted) return { state: 'superseded' }
      this.#use(before)
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
    const utilisations = this.#isChanging ? undefined : this.#crew.utilisations
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
    const holdings = this.#holdings!
    const beganMs = performance.now()
    try {
      const services = await this.#services.started()
      if (services.length > 0) throw cannotBeHandedOver(services)
      this.#log.info('upgrading: a new server is started, this one goes on until it is ready')
      const successor = await startSuccessor({
        relaunch,
        estate: holdings.estate(this.#ticketKeys),
        listenFd: holdings.socketFd,
        adminFd: holdings.adminFd,
        signal,
      })
      if (signal.aborted) return { state: 'superseded' }
      this.#isSucceeded = true
      this.#manager.stopWatchdog()
      await this.#manager.tell(`MAINPID=${successor.pid}`)
      await holdings.letGo()
      successor.release()
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

// It is a child of ours, has what it needs to itself, and ends with us.
function cannotBeHandedOver(services: readonly StartedService[]): StartError {
  const names = services.map(({ name }) => name).join(' and ')
  return new StartError(
    'HANDOVER_FAILED',
    EXIT.service,
    `${names} runs once, in this process, and cannot be handed over; stop the server and start the new one`,
  )
}
