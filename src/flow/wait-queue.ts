// Those who wait for a permit: most important first, within one priority in order of arrival. Every operation is O(1), leaving from
// the middle included, because under overload most waiters leave that way.
import { PRIORITIES, type Priority } from './priority.ts'

export class Waiter {
  readonly priority: Priority
  readonly admit: () => void
  readonly refuse: (reason: unknown) => void
  /** Neighbours in its line; the queue's own. */
  before: Waiter | undefined
  after: Waiter | undefined
  isQueued = false

  /** Exactly one of the two is called, once, and the waiter is out of the queue by then. */
  constructor(priority: Priority, admit: () => void, refuse: (reason: unknown) => void) {
    this.priority = priority
    this.admit = admit
    this.refuse = refuse
  }
}

interface Line {
  first: Waiter | undefined
  last: Waiter | undefined
}

export class WaitQueue {
  readonly #lines: Readonly<Record<Priority, Line>> = {
    critical: { first: undefined, last: undefined },
    normal: { first: undefined, last: undefined },
    sheddable: { first: undefined, last: undefined },
  }
  #size = 0

  get size(): number {
    return this.#size
  }

  push(waiter: Waiter): void {
    const line = this.#lines[waiter.priority]
    waiter.before = line.last
    if (line.last) line.last.after = waiter
    else line.first = waiter
    line.last = waiter
    waiter.isQueued = true
    this.#size++
  }

  /** Takes the one whose turn it is. */
  shift(): Waiter | undefined {
    for (const priority of PRIORITIES) {
      const { first } = this.#lines[priority]
      if (first) return this.remove(first)
    }
    return undefined
  }

  /** Takes the least important one below `priority`; of equals the last to arrive, who has waited least in vain. */
  popBelow(priority: Priority): Waiter | undefined {
    for (let i = PRIORITIES.length - 1; PRIORITIES[i] !== priority; i--) {
      const { last } = this.#lines[PRIORITIES[i]!]
      if (last) return this.remove(last)
    }
    return undefined
  }

  /** A waiter that is not queued stays as it is. */
  remove(waiter: Waiter): Waiter {
    if (!waiter.isQueued) return waiter
    const line = this.#lines[waiter.priority]
    if (waiter.before) waiter.before.after = waiter.after
    else line.first = waiter.after
    if (waiter.after) waiter.after.before = waiter.before
    else line.last = waiter.before
    waiter.before = waiter.after = undefined
    waiter.isQueued = false
    this.#size--
    return waiter
  }
}
