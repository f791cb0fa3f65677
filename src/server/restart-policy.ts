// How long to wait before a dead worker is started again: nothing at first, then doubling, so that a crash loop cannot eat the machine.

// 10 s: gunicorn and uvicorn wait nothing and spin; systemd's default gives up after five. One start per 10 s and slot costs little.
const FIRST_MS = 250
const LONGEST_MS = 10_000
// A worker that lived this long was healthy: what killed it is news, and its successor starts at once.
const HEALTHY_MS = 10_000

/** One per slot. */
export class RestartPolicy {
  #deathsInARow = 0

  /** @returns ms to wait before the next start: 0, 250, 500 ... 10,000 */
  died(livedMs: number): number {
    if (livedMs >= HEALTHY_MS) this.#deathsInARow = 0
    const deaths = this.#deathsInARow++
    return deaths === 0 ? 0 : Math.min(LONGEST_MS, FIRST_MS * 2 ** (deaths - 1))
  }
}
