// A worker process: loads the app, serves it on the inherited socket, and does what the supervisor says. Forked by worker-process.ts.
import type { Server, Socket } from 'node:net'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import type { StartedApp } from '../app/servable.ts'
import { provideSecondTier } from '../cache/second-tier.ts'
import { provideHost } from '../core/host.ts'
import { readMetrics } from '../core/metrics.ts'
import { Engine } from '../http/engine.ts'
import { createLogger } from '../observe/logger.ts'
import { type Counters, RequestCounter } from './counters.ts'
import { DevHandler } from './dev-handler.ts'
import { drain } from './drain.ts'
import { type Doorway, openDoorway } from './doorway.ts'
import { engineOptions } from './engine-options.ts'
import { failureOf } from './errors.ts'
import { EXIT } from './exit-codes.ts'
import { inspect } from './inspection.ts'
import { startApp } from './load-app.ts'
import { listenAddress, listenError, listenOnDescriptor } from './listener.ts'
import { BEAT_MS, LoopWatch, silentTicksOf, stallReportFile } from './loop-watch.ts'
import type { FromWorker, ToWorker, WorkerPlan } from './messages.ts'
import { warmUp } from './warm-up.ts'
import { answerPurges } from './purge.ts'
import { SupervisedTier } from './supervised-tier.ts'
import { guardOutput } from './output.ts'
import { WorkerHost } from './worker-host.ts'

// monitorEventLoopDelay reports the time between two ticks of this many ms; what is above it is delay.
const RESOLUTION_MS = 20

// After an error that nobody caught, what is in flight gets so long and no more: the state it left behind is unknown, and its successor
// starts already.
const FAULT_GRACE_MS = 2_000

const send = (message: FromWorker): void => {
  if (process.connected) process.send!(message)
}

class Worker {
  readonly #plan: WorkerPlan
  readonly #host: WorkerHost
  readonly #tier: SupervisedTier
  readonly #log
  readonly #counter = new RequestCounter()
  readonly #loopDelay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  #app: StartedApp | undefined
  #dev: DevHandler | undefined
  #engine: Engine | undefined
  #doorway: Doorway | undefined
  #server: Server | undefined
  #watch: LoopWatch | undefined
  #opening: Promise<void> | undefined
  #isDraining = false
  #isFaulted = false
  #moreFaults = 0
  #utilisation = performance.eventLoopUtilization()
  #memory = { heapUsed: 0, rss: 0 }

  constructor(plan: WorkerPlan) {
    this.#plan = plan
    const { workers, maxWorkers, replicas } = plan.settings
    // Workers are replaced one at a time.
    const planned = { workers: maxWorkers ?? workers, surge: 1, hosts: replicas }
    this.#host = new WorkerHost(plan.worker, plan.workers, plan.services, send, planned)
    this.#host.slowQueryMs = plan.settings.slowQuery ?? Infinity
    this.#tier = new SupervisedTier(this.#host, asks => send({ type: 'cache', asks }))
    this.#log = createLogger({ level: plan.settings.logLevel, format: 'lines' })
  }

  async load(): Promise<void> {
    provideHost(this.#host)
    provideSecondTier(this.#tier)
    answerPurges(this.#host)
    try {
      this.#app = await startApp(this.#plan.app, {
        requestTimeoutMs: this.#plan.settings.requestTimeout,
        maxBodyBytes: this.#plan.settings.maxBody,
        ...(this.#plan.settings.rootPath === '' ? {} : { rootPath: this.#plan.settings.rootPath }),
        log: this.#log,
      })
    } catch (error) {
      return fail(error)
    }
    if (this.#plan.isDevelopment) this.#dev = new DevHandler(this.#app.handler)
    const handler = this.#dev?.handle ?? this.#app.handler
    this.#engine = new Engine(handler, engineOptions(this.#plan.settings, this.#counter, this.#log))
    send({ type: 'loaded' })
  }

  async open(): Promise<void> {
    const { listenFd, settings } = this.#plan
    const engine = this.#engine!
    await this.#host.settled()
    let doorway: Doorway
    try {
      const keys = Buffer.from(this.#plan.ticketKeys, 'base64')
      doorway = this.#doorway = await openDoorway(settings, engine, this.#counter, this.#log, keys)
    } catch (error) {
      return fail(error)
    }
    if (this.#isDraining) return
    const admit = (socket: Socket) => {
      this.#counter.accepted++
      doorway.admit(socket)
    }
    try {
      this.#server = await listenOnDescriptor(listenFd, settings.backlog, { isPlain: doorway.isPlain, admit })
    } catch (error) {
      return fail(listenError(error, listenAddress(settings)))
    }
    // What was accepted meanwhile is finished by drain().
    if (this.#isDraining) return
    this.#loopDelay.enable()
    const { workerTimeout } = settings
    if (workerTimeout !== null)
      this.#watch = new LoopWatch({
        silentTicks: silentTicksOf(workerTimeout),
        file: stallReportFile(this.#plan.reportDir, this.#plan.worker, process.pid),
      })
    setInterval(() => this.#beat(), BEAT_MS).unref()
    send(this.#heartbeat())
    send({ type: 'ready' })
  }

  async drain({ mode, delayMs, graceMs }: ToWorker & { type: 'drain' }): Promise<void> {
    if (mode === 'quick') {
      this.#doorway?.close()
      this.#engine?.close()
    }
    if (this.#isDraining) return
    this.#isDraining = true
    // From the moment it listens it may have accepted somebody.
    await this.#opening
    const [app, engine, doorway, server] = [this.#app, this.#engine, this.#doorway, this.#server]
    if (app && engine && doorway && server)
      await drain({ app, engine, doorway, server, host: this.#host, log: this.#log }, mode, delayMs, graceMs)
    else if (app) await app.stop(graceMs)
    if (this.#moreFaults > 0) this.#log.error(`${this.#moreFaults} more errors that nobody caught came meanwhile`)
    const code = this.#isFaulted ? EXIT.fault : EXIT.stopped
    if (this.#engine) process.send?.(this.#heartbeat(), () => process.exit(code))
    else process.exit(code)
  }

  /**
   * An error that nobody caught, which by itself would cut every other request. They may finish, for a moment; nothing new is accepted,
   * and the supervisor has somebody else for that by now.
   */
  async fault(error: unknown, what: string): Promise<void> {
    // A timer that throws each millisecond would fill the log until the end.
    if (this.#isFaulted) return void this.#moreFaults++
    this.#log.error({ err: error }, `${what}; worker ${this.#plan.worker} ends`)
    if (this.#isDraining) return
    this.#isFaulted = true
    // It has not begun to serve: there is nothing to finish.
    if (!this.#server) return process.exit(EXIT.fault)
    send({ type: 'faulted' })
    const graceMs = Math.min(FAULT_GRACE_MS, this.#plan.settings.graceTimeout)
    await this.drain({ type: 'drain', mode: 'orderly', delayMs: 0, graceMs })
  }

  receive(message: ToWorker): void {
    this.#host.receive(message)
    if (message.type === 'cache') this.#tier.receive(message.answers)
    if (message.type === 'open') this.#opening = this.open()
    if (message.type === 'drain') void this.drain(message)
    if (message.type === 'part') this.#counter.parted += this.#engine?.part(message.count) ?? 0
    if (message.type === 'broken') this.#dev?.break(message.message)
    if (message.type === 'reopen') void this.#doorway?.reopen()
    if (message.type === 'inspect') void this.#inspect(message)
  }

  async #inspect({ id, order }: ToWorker & { type: 'inspect' }): Promise<void> {
    // Whoever watches this loop has to know that it will stand still before it does.
    const standsStill = order.what === 'heap-snapshot'
    if (standsStill) this.#watch?.hold()
    try {
      await new Promise(resolve => process.send!({ type: 'inspecting', id } satisfies FromWorker, resolve))
      send({ type: 'inspected', id, bytes: await inspect(order) })
    } catch (error) {
      send({ type: 'inspected', id, failure: failureOf(error) })
    } finally {
      if (standsStill) this.#watch?.goOn()
    }
  }

  #beat(): void {
    this.#watch?.beat()
    send(this.#heartbeat())
  }

  #heartbeat(): FromWorker {
    this.#memory = memoryUsage() ?? this.#memory
    const utilisation = performance.eventLoopUtilization()
    const { utilization: loopUtilisation } = performance.eventLoopUtilization(utilisation, this.#utilisation)
    this.#utilisation = utilisation
    const counters: Counters = {
      requests: this.#counter.requests,
      accepted: this.#counter.accepted,
      refused: this.#counter.refused,
      parted: this.#counter.parted,
      connections: this.#engine!.connections,
      inflight: this.#engine!.inflight,
      loopDelayMs: Math.max(0, Math.round(this.#loopDelay.max / 1e6) - RESOLUTION_MS),
      loopUtilisation,
      heapBytes: this.#memory.heapUsed,
      rssBytes: this.#memory.rss,
      metrics: readMetrics(),
    }
    this.#loopDelay.reset()
    return { type: 'heartbeat', counters }
  }
}

/** @returns undefined when there is no descriptor left to ask the system with */
function memoryUsage(): NodeJS.MemoryUsage | undefined {
  try {
    return process.memoryUsage()
  } catch {
    return undefined
  }
}

/** Tells the supervisor and ends, once the message is on its way. */
function fail(error: unknown): void {
  const failure = failureOf(error)
  process.send!({ type: 'failed', failure } satisfies FromWorker, () => process.exit(failure.exitCode))
}

// Ctrl-C reaches every process of the terminal's group; when to stop is for the supervisor to say.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) process.on(signal, () => {})
// The channel closes when the supervisor is gone, by kill -9 too: nobody would restart or stop us, and a new server needs the port.
process.on('disconnect', () => process.exit(1))

// Started ahead of time by a development server; 'start' comes later, and finds all loaded.
const isWarm = process.argv[2] === 'warm' ? warmUp(process.cwd()) : undefined

guardOutput(process.stdout, process.stderr)

let worker: Worker | undefined

// With a listener of ours an error that nobody caught does not end the process at once; a rejection that nobody handles comes here too.
process.on('uncaughtException', (error, origin) => {
  const what = origin === 'unhandledRejection' ? 'a rejection that nobody handled' : 'an error that nobody caught'
  if (worker) return void worker.fault(error, what)
  process.stderr.write(`${error.stack ?? String(error)}\n`)
  process.exit(EXIT.fault)
})

process.on('message', (message: ToWorker) => {
  if (message.type !== 'start') return worker?.receive(message)
  worker = new Worker(message.plan)
  void (isWarm ?? Promise.resolve()).then(() => worker!.load())
})
