// Workers and their supervisor's relay and cache in one process: the messages are real, and take a turn of the loop each.
import { InvalidationBus } from '../../../src/cache/invalidation.ts'
import type { FromWorker, ToWorker } from '../../../src/server/messages.ts'
import { Relay } from '../../../src/server/relay.ts'
import { SharedCache, type SharedCacheOptions } from '../../../src/server/shared-cache.ts'
import { SupervisedTier } from '../../../src/server/supervised-tier.ts'
import { WorkerHost } from '../../../src/server/worker-host.ts'
import { INVALIDATIONS } from '../../../src/cache/invalidation.ts'
import type { Invalidation } from '../../../src/cache/second-tier.ts'

export class Member {
  readonly number: number
  readonly era: number
  readonly isOpen = true
  silentTicks = 0
  /** It reads nothing any more: what is sent to it waits. */
  isDeaf = false
  readonly unread: (() => void)[] = []
  readonly host: WorkerHost
  readonly tier: SupervisedTier
  readonly bus: InvalidationBus

  constructor(
    number: number,
    workers: number,
    era: number,
    hear: (from: Member, message: FromWorker) => void,
    now?: () => number,
  ) {
    this.number = number
    this.era = era
    const send = (sent: FromWorker) => {
      const message = JSON.parse(JSON.stringify(sent)) as FromWorker
      setImmediate(() => hear(this, message))
    }
    this.host = new WorkerHost(number, workers, [], send)
    this.tier = new SupervisedTier(this.host, asks => send({ type: 'cache', asks }), now)
    this.bus = new InvalidationBus(
      () => this.host,
      undefined,
      () => this.tier,
    )
  }

  send(sent: ToWorker, isSent: () => void = () => {}): void {
    const message = JSON.parse(JSON.stringify(sent)) as ToWorker
    const deliver = () => {
      isSent()
      this.host.receive(message)
      if (message.type === 'cache') this.tier.receive(message.answers)
    }
    if (this.isDeaf) this.unread.push(deliver)
    else setImmediate(deliver)
  }
}

export interface Supervised {
  readonly members: Member[]
  readonly cache: SharedCache<Member>
  /** While false, the supervisor answers nobody. */
  answers: boolean
  /** The worker has died. */
  kill(member: Member): void
  stop(): void
}

export function supervised(
  workers: number,
  options: SharedCacheOptions = {},
  eraOf = (_worker: number) => 0,
): Supervised {
  const members: Member[] = []
  const relay = new Relay(members)
  const cache = new SharedCache<Member>(members, options)
  const of: Supervised = {
    members,
    cache,
    answers: true,
    kill(member) {
      members.splice(members.indexOf(member), 1)
      member.bus.stop()
      relay.gone(member)
      cache.gone(member)
    },
    stop: () => members.forEach(({ bus }) => bus.stop()),
  }
  const hear = (from: Member, message: FromWorker) => {
    if (!of.answers || !members.includes(from)) return
    if (message.type === 'cache') cache.hear(from, message.asks)
    else if (message.type === 'request') {
      if (message.channel === INVALIDATIONS) cache.invalidate(message.message as Invalidation)
      relay.request(from, message)
    } else if (message.type === 'answer') relay.answer(from, message)
    else throw new Error(`a cache has no use for ${message.type}`)
  }
  for (let number = 1; number <= workers; number++)
    members.push(new Member(number, workers, eraOf(number), hear, options.now))
  return of
}
