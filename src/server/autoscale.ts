// How many workers there should be for what there is to do. Pure: it is told once a second how busy each worker's event loop was, and answers.
//
// The measure is loop utilisation (performance.eventLoopUtilization): the share of a second in which the loop did not wait for anything. It says
// what a worker could still take, where CPU time and connections do not: a loop that waits for a database is idle, one that parses JSON is not.
//
//   more    busier than 70% on average for 5 seconds in a row: what comes on top of that waits ever longer, as 1 / (1 - utilisation)
//   fewer   for a minute so idle that those who stay would be below 50%: far enough from 70% not to be called back
//
// A new worker changes the average, so after each step the counting starts again. Growing is quick and shrinking slow: a worker too many costs
// memory, one too few costs every client time.

const BUSY = 0.7
const BUSY_SECONDS = 5
const IDLE = 0.5
const IDLE_SECONDS = 60

export interface WorkerLimits {
  readonly least: number
  readonly most: number
}

export class Autoscale {
  #busySeconds = 0
  #idleSeconds = 0

  /** Workers come or go: what was seen before says nothing any more. */
  startOver(): void {
    this.#busySeconds = 0
    this.#idleSeconds = 0
  }

  /**
   * Called once a second while all workers that are wanted are ready.
   *
   * @param utilisations  of each in the last second, 0 to 1
   * @param limits  a number outside of them is somebody's wish, and is left alone
   * @returns by how many their number should change
   */
  look(utilisations: readonly number[], { least, most }: WorkerLimits): 1 | -1 | 0 {
    const count = utilisations.length
    const sum = utilisations.reduce((total, each) => total + each, 0)
    this.#busySeconds = sum / count > BUSY ? this.#busySeconds + 1 : 0
    this.#idleSeconds = count > 1 && sum / (count - 1) < IDLE ? this.#idleSeconds + 1 : 0
    if (this.#busySeconds >= BUSY_SECONDS && count < most) return this.#step(1)
    if (this.#idleSeconds >= IDLE_SECONDS && count > least) return this.#step(-1)
    return 0
  }

  #step(by: 1 | -1): 1 | -1 {
    this.startOver()
    return by
  }
}
