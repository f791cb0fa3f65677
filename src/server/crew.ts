// The workers of one supervisor: a slot for each that is wanted, and somebody in every slot. Who dies is replaced, after a while if that
// happens again and again; who falls silent is killed and replaced; who is replaced on purpose finishes first.
import { INVALIDATIONS } from '../cache/invalidation.ts'
import type { Invalidation } from '../cache/second-tier.ts'
import { CounterTable } from '../core/counter-table.ts'
import type { Logger } from '../observe/logger.ts'
import { Balance } from './balance.ts'
import { oomKills } from './cgroup.ts'
import { ControlError } from './control-protocol.ts'
import { addCounters, type Counters, NO_COUNTS, totalsOnly } from './counters.ts'
import { failureOf } from './errors.ts'
import type { Generation } from './generation.ts'
import type { InspectionOrder } from './inspection.ts'
import { Inspections } from './inspections.ts'
import type { DrainMode, FromWorker, StartedService } from './messages.ts'
import { LeaderSeat } from './leader-seat.ts'
import { workerShare } from './memory-share.ts'
import { type RecycleLimits, type RecycleReason, Recycling } from './recycle.ts'
import { Relay } from './relay.ts'
import { roll, type Slot } from './reload.ts'
import { RestartPolicy } from './restart-policy.ts'
import { SharedCache } from './shared-cache.ts'
import { Silence } from './silence.ts'
import type { WarmProcesses } from './warm-processes.ts'
import { endedHow, likelyCause, type WorkerExit } from './worker-exit.ts'
import { PURGES } from './purge.ts'
import { nameOf } from './worker-name.ts'
import { WorkerProcess } from './worker-process.ts'

/** What a worker is started with; read anew for each, because a reload changes it. */
export interface Orders {
  readonly app: string
  readonly generation: Generation
  readonly services: readonly StartedService[]
  readonly socketFd: number
  readonly ticketKeys: string
  readonly drainMode: DrainMode
  readonly isDevelopment: boolean
  readonly log: Logger
  readonly warm: WarmProcesses | undefined
}

export interface CrewFacts {
  readonly orders: () => Orders
  /** A worker asks for a service that was not declared. */
  readonly startService: (message: FromWorker & { type: 'service' }) => Promise<StartedService['address']>
}

// What a worker that has met an error which nobody caught takes at most: for its requests, then for the end of its app.
const FAULT_END_MS = 5_000

// Twice what an invalidation takes at most.
const PURGE_MS = 2_000

// What systemd is told of is decided sooner than what is killed.
const SERVING_TICKS = 3

export class Crew {
  readonly #facts: CrewFacts
  readonly #workers = new Set<WorkerProcess>()
  readonly #slots = new Map<number, Slot>()
  readonly #relay = new Relay<WorkerProcess>(this.#workers)
  readonly #seat = new LeaderSeat<WorkerProcess>(this.#workers)
  /** Of the app, shared by its workers. */
  readonly #counts = new CounterTable()
  /** Of the app's caches, for all workers. */
  readonly #cache = new SharedCache<WorkerProcess>(this.#workers)
  readonly #inspections = new Inspections<WorkerProcess>()
  readonly #silence = new Silence<WorkerProcess>({
    settings: () => this.#facts.orders().generation.settings,
    isExcused: worker => this.#inspections.excuses(worker),
    log: () => this.#log,
  })
  readonly #recycling = new Recycling<Slot>({
    limits: () => this.#recycleLimits(),
    replace: (slot, signal) => this.#rollNow([slot], signal),
    log: () => this.#log,
    nowMs: () => performance.now(),
    random: Math.random,
  })
  readonly #balance = new Balance<WorkerProcess>(() => this.#facts.orders().generation.settings.rebalance)
  /** Reloads and the like that are under way or wait for each other. */
  #rolls = 0
  /** Counts reloads: workers of different code share nothing that either has kept. */
  #era = 0
  #keepsFilled = false
  #isDismissed = false
  #buried: Counters = NO_COUNTS
  #restarts = 0
  #oomKills = oomKills()

  constructor(facts: CrewFacts) {
    this.#facts = facts
  }

  /** How many are wanted. */
  get size(): number {
    return this.#slots.size
  }

  /** The number of the worker that leads. */
  get leader(): number | undefined {
    return this.#seat.leader
  }

  get recycles(): Readonly<Record<RecycleReason, number>> {
    return { ...this.#recycling.counts }
  }

  get restarts(): number {
    return this.#restarts
  }

  /** Nobody leads from now on; resolves when the one who leads has ended what it does as the leader. */
  withholdLead(): Promise<void> {
    return this.#seat.close()
  }

  /** Whoever led in another server has ended. */
  grantLead(): void {
    this.#seat.open()
  }

  /** Everybody who is alive. */
  get workers(): readonly WorkerProcess[] {
    return [...this.#workers]
  }

  /** Totals include those who are gone; what is open is of those alive. */
  get counters(): Counters {
    return this.workers.reduce((sum, { counters }) => addCounters(sum, counters), this.#buried)
  }

  /**
   * The first of all. One that becomes ready is enough to go on with the others.
   *
   * @throws StartError when none does
   */
  async start(count: number): Promise<void> {
    for (let number = 1; number <= count; number++) this.#addSlot(number)
    const slots = [...this.#slots.values()]
    const first = slots.map(slot => (slot.current = this.#launch(slot)))
    const outcomes = await Promise.allSettled(first.map(worker => worker.ready))
    const failures = outcomes.filter(outcome => outcome.status === 'rejected')
    if (failures.length === count) throw failures[0]!.reason
    // The server ends before it has begun to serve.
    if (this.#isDismissed) return
    this.#keepsFilled = true
    for (const { reason } of failures) this.#log.error(failureOf(reason).message)
    for (const slot of slots) this.#fill(slot)
  }

  /** @returns how many were replaced. @throws StartError of a new one that did not become ready; the old ones go on */
  roll(signal: AbortSignal): Promise<number> {
    this.#era++
    return this.#roll([...this.#slots.values()], signal)
  }

  /** One of them alone. @param worker  number or pid. @throws ControlError `CONTROL_NO_WORKER`, and as roll() */
  replace(worker: number, signal: AbortSignal): Promise<number> {
    return this.#roll([this.#slotOf(worker)], signal)
  }

  /**
   * @returns bytes that were written
   * @throws ControlError, see inspections.ts
   */
  async inspect(worker: number, order: InspectionOrder): Promise<number> {
    const { current } = this.#slotOf(worker)
    if (current?.state !== 'ready')
      throw new ControlError('CONTROL_NO_WORKER', `worker ${worker} is not ready; ask again when it is`)
    return this.#inspections.ask(current, order)
  }

  /** Resolves when everybody who is wanted is ready. @throws StartError of one that did not become so; it is tried again */
  async complete(): Promise<void> {
    await Promise.all([...this.#slots.values()].flatMap(({ current }) => current?.ready ?? []))
  }

  /** What somebody asked for goes before what is done by itself. */
  async #roll(slots: readonly Slot[], signal: AbortSignal): Promise<number> {
    this.#rolls++
    try {
      await this.#recycling.stop()
      return await this.#rollNow(slots, signal)
    } finally {
      this.#rolls--
    }
  }

  #rollNow(slots: readonly Slot[], signal: AbortSignal): Promise<number> {
    return roll({
      slots,
      launch: slot => this.#launch(slot),
      drain: worker => this.#retire(worker),
      isWanted: slot => this.#slots.get(slot.number) === slot,
      signal,
    })
  }

  /**
   * One of them has all caches forget what carries one of the tags, as `cache.invalidate` does.
   *
   * @throws ControlError `CONTROL_NO_WORKER`, `CONTROL_NOT_DONE`
   */
  async purge(tags: readonly string[]): Promise<void> {
    const ready = this.workers.filter(({ state }) => state === 'ready')
    if (ready.length === 0) throw new ControlError('CONTROL_NO_WORKER', 'no worker is ready; ask again when one is')
    // The one that was heard of last: a blocked one would answer too late.
    for (const worker of ready.sort((a, b) => a.silentTicks - b.silentTicks))
      if (await this.#relay.ask(worker, PURGES, tags, PURGE_MS)) return
    throw new ControlError('CONTROL_NOT_DONE', 'no worker has said in time that the tags are forgotten; ask again')
  }

  grow(): void {
    let number = 1
    while (this.#slots.has(number)) number++
    this.#fill(this.#addSlot(number))
    this.#tellSize()
  }

  /** There is always at least one. */
  shrink(): void {
    if (this.#slots.size <= 1) return
    const last = this.#slots.get(Math.max(...this.#slots.keys()))!
    this.#slots.delete(last.number)
    clearTimeout(last.timer)
    if (last.current) void this.#retire(last.current)
    this.#tellSize()
  }

  /** Nobody is replaced from now on; resolves when all are gone. Again with 'quick' for those who take long. */
  async dismiss(mode: DrainMode, delayMs: number, graceMs: number): Promise<void> {
    this.#isDismissed = true
    this.#keepsFilled = false
    void this.#recycling.stop()
    for (const { timer } of this.#slots.values()) clearTimeout(timer)
    const gone = this.workers.map(worker => {
      if (mode === 'quick') return worker.drain('quick', 0, 0)
      // One that drains already keeps its own time.
      return worker.state === 'draining' ? worker.exited : end(worker, mode, delayMs, graceMs)
    })
    await Promise.all(gone)
  }

  /**
   * How busy the event loop of each was in the last second, 0 to 1.
   *
   * @returns undefined while one starts or ends: those who are there now are not those who will be
   */
  get utilisations(): readonly number[] | undefined {
    const { workers } = this
    if (workers.length !== this.size || workers.some(({ state }) => state !== 'ready')) return undefined
    // One that is not heard of does not wait for anything.
    return workers.map(({ silentTicks, counters }) => (silentTicks > SERVING_TICKS ? 1 : counters.loopUtilisation))
  }

  /** Somebody serves, and has been heard of of late. */
  get isServing(): boolean {
    return this.workers.some(worker => worker.isOpen && worker.silentTicks <= SERVING_TICKS)
  }

  /** Called once a second. */
  watch(): void {
    this.#silence.look(this.#workers)
    this.#cache.watch()
    if (!this.#keepsFilled || this.#rolls > 0) return
    this.#rebalance()
    this.#recycling.look([...this.#slots.values()])
  }

  #rebalance(): void {
    const ready = this.workers.filter(({ state }) => state === 'ready')
    for (const [worker, count] of this.#balance.look(ready)) worker.send({ type: 'part', count })
  }

  #recycleLimits(): RecycleLimits {
    const { maxRequests, maxRequestsJitter, maxWorkerAge, maxWorkerMemory } = this.#facts.orders().generation.settings
    return {
      maxRequests,
      maxRequestsJitter,
      maxAgeMs: maxWorkerAge,
      maxBytes: maxWorkerMemory === 'auto' ? workerShare(this.size) : maxWorkerMemory,
    }
  }

  get #log(): Logger {
    return this.#facts.orders().log
  }

  #addSlot(number: number): Slot {
    const slot: Slot = { number, restarts: new RestartPolicy(), current: undefined, timer: undefined }
    this.#slots.set(number, slot)
    return slot
  }

  #slotOf(worker: number): Slot {
    const slots = [...this.#slots.values()]
    const slot = slots.find(({ number, current }) => number === worker || current?.pid === worker)
    if (slot) return slot
    const numbers = slots.map(({ number }) => number)
    throw new ControlError('CONTROL_NO_WORKER', `there is no worker ${worker}; there are ${numbers.join(', ')}`)
  }

  #fill(slot: Slot): void {
    if (!this.#keepsFilled || slot.current || this.#slots.get(slot.number) !== slot) return
    let worker: WorkerProcess
    try {
      worker = this.#launch(slot)
    } catch (error) {
      // For want of memory it is thrown, and may be there in a while.
      return this.#refillLater(slot, 0, `worker ${slot.number} could not be started: ${(error as Error).message}`)
    }
    slot.current = worker
    worker.ready.then(
      () => this.#log.info(`${nameOf(worker)} is ready`),
      (error: unknown) => this.#log.error(failureOf(error).message),
    )
  }

  #launch(slot: Slot): WorkerProcess {
    const { app, generation, services, socketFd, ticketKeys, isDevelopment, warm } = this.#facts.orders()
    const { environment, settings } = generation
    const worker = new WorkerProcess({
      plan: {
        app,
        worker: slot.number,
        workers: this.#slots.size,
        settings,
        services,
        ticketKeys,
        isDevelopment,
        reportDir: this.#silence.reportDir,
      },
      environment,
      socketFd,
      era: this.#era,
      child: warm?.take('worker', environment),
      onMessage: (from, message) => this.#hear(from, slot, message),
    })
    this.#workers.add(worker)
    void worker.exited.then(exit => this.#bury(worker, slot, exit))
    return worker
  }

  #hear(worker: WorkerProcess, slot: Slot, message: FromWorker): void {
    this.#silence.heard(worker)
    switch (message.type) {
      case 'faulted':
        worker.expectEnd(FAULT_END_MS)
        this.#vacate(worker, slot, 'ends after an error that nobody caught')
        break
      case 'loaded':
        worker.send({ type: 'open' })
        break
      case 'publish':
        this.#relay.publish(worker, message)
        break
      case 'cache':
        this.#cache.hear(worker, message.asks)
        break
      case 'request':
        if (message.channel === INVALIDATIONS) this.#cache.invalidate(message.message as Invalidation)
        this.#relay.request(worker, message)
        break
      case 'answer':
        this.#relay.answer(worker, message)
        break
      case 'ready':
        this.#seat.fill()
        break
      case 'resigned':
        this.#seat.leave(worker)
        break
      case 'count': {
        const { id, name, by, lifeMs } = message
        worker.send({ type: 'counted', id, value: this.#counts.add(name, by, lifeMs ?? Infinity) })
        break
      }
      case 'inspecting':
        this.#inspections.began(message)
        break
      case 'inspected':
        this.#inspections.answered(message)
        break
      case 'service':
        this.#facts.startService(message).then(
          address => worker.send({ type: 'service', id: message.id, address }),
          (error: unknown) => worker.send({ type: 'service', id: message.id, failure: failureOf(error) }),
        )
        break
    }
  }

  /** What a dead worker counted stays counted. */
  #bury(worker: WorkerProcess, slot: Slot, exit: WorkerExit): void {
    this.#workers.delete(worker)
    this.#relay.gone(worker)
    this.#cache.gone(worker)
    this.#seat.leave(worker)
    this.#inspections.gone(worker)
    this.#buried = addCounters(this.#buried, totalsOnly(worker.counters))
    const killed = this.#oomKills
    this.#oomKills = oomKills()
    const cause = likelyCause(exit, { isKilledByUs: worker.isKilled, oomKills: this.#oomKills - killed })
    this.#vacate(worker, slot, endedHow(exit), cause)
  }

  /** If it still had its place, somebody takes it. */
  #vacate(worker: WorkerProcess, slot: Slot, how: string, cause = ''): void {
    if (slot.current !== worker) return
    slot.current = undefined
    if (!this.#keepsFilled || this.#slots.get(slot.number) !== slot) return
    const livedMs = worker.readyAtMs === undefined ? 0 : performance.now() - worker.readyAtMs
    this.#refillLater(slot, livedMs, `${nameOf(worker)} ${how}`, cause)
  }

  #refillLater(slot: Slot, livedMs: number, what: string, cause = ''): void {
    const waitMs = slot.restarts.died(livedMs)
    this.#restarts++
    const when = waitMs === 0 ? 'at once' : `in ${waitMs / 1000} s`
    this.#log.warn(`${what}; the next one starts ${when}${cause}`)
    slot.timer = setTimeout(() => this.#fill(slot), waitMs)
  }

  /** One worker leaves while the others go on: no delay, because nothing looks at the readiness of one. */
  #retire(worker: WorkerProcess): Promise<unknown> {
    const { drainMode, generation } = this.#facts.orders()
    return end(worker, drainMode, 0, generation.settings.graceTimeout)
  }

  /** Everybody reads files again that may have been replaced. */
  reopen(): void {
    for (const worker of this.#workers) worker.send({ type: 'reopen' })
  }

  #tellSize(): void {
    this.#log.info(`${this.size} ${this.size === 1 ? 'worker' : 'workers'} wanted`)
    for (const worker of this.#workers) worker.send({ type: 'workers', count: this.size })
  }
}

/** One that loads its app has nothing to finish. From then on it may be accepting: that it does is heard a moment later. */
function end(worker: WorkerProcess, mode: DrainMode, delayMs: number, graceMs: number): Promise<unknown> {
  if (worker.state === 'starting') worker.kill()
  return worker.drain(mode, delayMs, graceMs)
}
