// A walk over many things in slices, so that whoever has to be served meanwhile waits for a slice and not for the walk.
//
// bench slow: 500 bodies that are refused in one sweep took 65 ms together, and each request that came meanwhile waited for all of them.

const SLICE_MS = 2

export class SlicedWalk<T, U extends unknown[]> {
  readonly #visit: (one: T, ...facts: U) => void
  readonly #goOn = (): void => {
    this.#isAwaited = false
    this.#slice()
  }
  #isAwaited = false
  #rest: Iterator<T> | undefined
  #facts: U | undefined

  /** @param visit  may take things out of what is walked, and put things in */
  constructor(visit: (one: T, ...facts: U) => void) {
    this.#visit = visit
  }

  get isUnderWay(): boolean {
    return this.#rest !== undefined
  }

  /** The first slice now, the others in the next turns of the loop, between which sockets are read. Not while one is under way. */
  start(over: Iterable<T>, ...facts: U): void {
    this.#rest = over[Symbol.iterator]()
    this.#facts = facts
    this.#slice()
  }

  stop(): void {
    this.#rest = this.#facts = undefined
  }

  #slice(): void {
    const untilMs = performance.now() + SLICE_MS
    // A visit may end the walk.
    while (this.#rest !== undefined) {
      const { done, value } = this.#rest.next()
      if (done) return this.stop()
      this.#visit(value, ...this.#facts!)
      if (performance.now() >= untilMs) {
        // One that was stopped may have left its turn to us.
        if (this.#rest !== undefined && !this.#isAwaited) {
          this.#isAwaited = true
          setImmediate(this.#goOn)
        }
        return
      }
    }
  }
}
