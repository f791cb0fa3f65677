// The Host of a worker: what concerns its siblings goes to the supervisor, which relays it; the rest stays in the process.
import {
  DEFAULT_SLOW_QUERY_MS,
  type Answers,
  type Drain,
  type Extent,
  EXTENT_CHANGED,
  type Host,
  LocalHost,
  type ServiceSpec,
} from '../core/host.ts'
import { Leadership, type LeaderTask } from '../core/leadership.ts'
import { errorOf } from './errors.ts'
import type { FromWorker, StartedService, ToWorker } from './messages.ts'

type Address = StartedService['address']

export class WorkerHost implements Host {
  readonly worker: number
  #workers: number
  readonly #planned: Extent
  readonly #local = new LocalHost()
  readonly #send: (message: FromWorker) => void
  readonly #addresses = new Map<string, Promise<Address>>()
  readonly #requests = new Map<number, (answers: Answers) => void>()
  readonly #serviceCalls = new Map<number, { resolve(address: Address): void; reject(error: unknown): void }>()
  readonly #responding = new Set<Promise<void>>()
  readonly #counts = new Map<number, (value: number) => void>()
  readonly #leadership = new Leadership(() => this.#send({ type: 'resigned' }))
  #lastId = 0

  /**
   * @param services  what the supervisor has started already
   * @param planned  by the settings
   */
  slowQueryMs = DEFAULT_SLOW_QUERY_MS

  constructor(
    worker: number,
    workers: number,
    services: readonly StartedService[],
    send: (message: FromWorker) => void,
    planned: Extent = { workers, surge: 1, hosts: 1 },
  ) {
    this.worker = worker
    this.#workers = workers
    this.#send = send
    this.#planned = planned
    for (const service of services) this.#addresses.set(serviceId(service), Promise.resolve(service.address))
  }

  get workers(): number {
    return this.#workers
  }

  /** Somebody may have asked for more workers than the settings say. */
  get extent(): Extent {
    return { ...this.#planned, workers: Math.max(this.#planned.workers, this.#workers) }
  }

  publish(channel: string, message: unknown): void {
    this.#send({ type: 'publish', channel, message })
    this.#local.publish(channel, message)
  }

  subscribe(channel: string, listener: (message: unknown) => void): () => void {
    return this.#local.subscribe(channel, listener)
  }

  async request(channel: string, message: unknown, timeoutMs: number): Promise<Answers> {
    const id = ++this.#lastId
    const fromOthers = new Promise<Answers>(resolve => this.#requests.set(id, resolve))
    this.#send({ type: 'request', id, channel, message, timeoutMs })
    const [own, others] = await Promise.all([this.#local.respondAll(channel, message, timeoutMs), fromOthers])
    return {
      answers: [...(own ?? []), ...others.answers],
      silent: own === undefined ? [this.worker, ...others.silent] : others.silent,
    }
  }

  respond(channel: string, responder: (message: unknown) => unknown): () => void {
    return this.#local.respond(channel, responder)
  }

  lead(task: LeaderTask): () => Promise<void> {
    return this.#leadership.add(task)
  }

  count(name: string, by: number, lifeMs: number): Promise<number> {
    const id = ++this.#lastId
    return new Promise(resolve => {
      this.#counts.set(id, resolve)
      // JSON has no Infinity.
      this.#send({ type: 'count', id, name, by, lifeMs: Number.isFinite(lifeMs) ? lifeMs : null })
    })
  }

  onDrain(name: string, drain: Drain): void {
    this.#local.onDrain(name, drain)
  }

  service(spec: ServiceSpec): Promise<Address> {
    const id = serviceId(spec)
    let address = this.#addresses.get(id)
    if (!address) {
      const call = ++this.#lastId
      address = new Promise((resolve, reject) => this.#serviceCalls.set(call, { resolve, reject }))
      address.catch(() => this.#addresses.delete(id))
      this.#addresses.set(id, address)
      this.#send({ type: 'service', id: call, spec })
    }
    return address
  }

  /** Messages of the supervisor that are the host's business; others are left alone. */
  receive(message: ToWorker): void {
    switch (message.type) {
      case 'workers':
        this.#workers = message.count
        this.#local.publish(EXTENT_CHANGED, this.extent)
        break
      case 'deliver':
        this.#local.publish(message.channel, message.message)
        break
      case 'ask': {
        const responding = this.#answer(message).finally(() => this.#responding.delete(responding))
        this.#responding.add(responding)
        break
      }
      case 'asked':
        this.#requests.get(message.id)?.({ answers: message.answers, silent: message.silent })
        this.#requests.delete(message.id)
        break
      case 'lead':
        this.#leadership.lead()
        break
      case 'counted':
        this.#counts.get(message.id)?.(message.value)
        this.#counts.delete(message.id)
        break
      case 'service': {
        const call = this.#serviceCalls.get(message.id)
        this.#serviceCalls.delete(message.id)
        if (message.address) call?.resolve(message.address)
        else if (message.failure) call?.reject(errorOf(message.failure))
        break
      }
    }
  }

  /** Resolves when everything that siblings asked so far has been answered. */
  async settled(): Promise<void> {
    await Promise.all(this.#responding)
  }

  drain(graceMs: number): ReturnType<LocalHost['drain']> {
    return this.#local.drain(graceMs)
  }

  async #answer({ id, channel, message, timeoutMs }: ToWorker & { type: 'ask' }): Promise<void> {
    const answers = await this.#local.respondAll(channel, message, timeoutMs)
    this.#send({ type: 'answer', id, answers: answers ?? [], complete: answers !== undefined })
  }
}

export function serviceId(spec: { readonly name: string; readonly key: string }): string {
  return `${spec.name} ${spec.key}`
}
