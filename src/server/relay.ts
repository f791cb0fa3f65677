// Carries what workers publish and ask to their siblings, and brings the answers back. Runs in the supervisor.
import type { FromWorker, ToWorker } from './messages.ts'

/** What the relay has to know of a worker. */
export interface Member {
  readonly number: number
  /** It may be serving requests: answers are waited for. One that still starts is told, and has listened before its first request. */
  readonly isOpen: boolean
  send(message: ToWorker): void
}

interface Open<M> {
  /** undefined: the supervisor itself. */
  readonly asker: M | undefined
  readonly done: (answers: readonly unknown[], silent: readonly number[]) => void
  readonly waitingFor: Set<M>
  readonly answers: unknown[]
  readonly silent: number[]
  readonly timer: NodeJS.Timeout
  /** Somebody who was waited for has died. */
  readonly left?: () => void
}

export class Relay<M extends Member> {
  readonly #members: Iterable<M>
  readonly #open = new Map<number, Open<M>>()
  #lastId = 0

  /** @param members  every worker that is alive, now and at any later time */
  constructor(members: Iterable<M>) {
    this.#members = members
  }

  publish(from: M, { channel, message }: FromWorker & { type: 'publish' }): void {
    for (const member of this.#members) if (member !== from) member.send({ type: 'deliver', channel, message })
  }

  request(from: M, { id: requestId, channel, message, timeoutMs }: FromWorker & { type: 'request' }): void {
    const id = ++this.#lastId
    const others = [...this.#members].filter(member => member !== from)
    const waitingFor = new Set(others.filter(member => member.isOpen))
    const timer = setTimeout(() => this.#close(id), timeoutMs)
    const done: Open<M>['done'] = (answers, silent) => from.send({ type: 'asked', id: requestId, answers, silent })
    this.#open.set(id, { asker: from, done, waitingFor, answers: [], silent: [], timer })
    for (const member of others) member.send({ type: 'ask', id, channel, message, timeoutMs })
    if (waitingFor.size === 0) this.#close(id)
  }

  /** Asks one of them for the supervisor. @returns whether it has run its responders to the end in time */
  ask(member: M, channel: string, message: unknown, timeoutMs: number): Promise<boolean> {
    const id = ++this.#lastId
    return new Promise(resolve => {
      const timer = setTimeout(() => this.#close(id), timeoutMs)
      const done: Open<M>['done'] = (_answers, silent) => resolve(silent.length === 0 && !left)
      const waitingFor = new Set([member])
      let left = false
      this.#open.set(id, {
        asker: undefined,
        done,
        waitingFor,
        answers: [],
        silent: [],
        timer,
        left: () => (left = true),
      })
      member.send({ type: 'ask', id, channel, message, timeoutMs })
    })
  }

  answer(from: M, { id, answers, complete }: FromWorker & { type: 'answer' }): void {
    const open = this.#open.get(id)
    if (!open?.waitingFor.delete(from)) return
    open.answers.push(...answers)
    if (!complete) open.silent.push(from.number)
    if (open.waitingFor.size === 0) this.#close(id)
  }

  /** A dead worker holds nothing that could be stale: it is no longer waited for, nor reported as silent. */
  gone(member: M): void {
    for (const [id, open] of this.#open) {
      if (open.asker === member) {
        clearTimeout(open.timer)
        this.#open.delete(id)
      } else if (open.waitingFor.delete(member)) {
        open.left?.()
        if (open.waitingFor.size === 0) this.#close(id)
      }
    }
  }

  #close(id: number): void {
    const open = this.#open.get(id)
    if (!open) return
    this.#open.delete(id)
    clearTimeout(open.timer)
    const silent = [...open.silent, ...[...open.waitingFor].map(member => member.number)]
    open.done(open.answers, silent)
  }
}
