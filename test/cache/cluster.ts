// Several workers in one process, for tests: each has a Host whose requests reach all of them, when the test lets them through.
import { LocalHost, type Host } from '../../src/core/host.ts'

export class FakeCluster {
  readonly hosts: readonly FakeHost[]
  /** Workers that receive nothing: their loop is blocked. */
  readonly deaf = new Set<number>()

  constructor(workers: number) {
    this.hosts = Array.from({ length: workers }, (_, i) => new FakeHost(this, i + 1))
  }
}

export class FakeHost extends LocalHost implements Host {
  override readonly worker: number
  readonly #cluster: FakeCluster

  constructor(cluster: FakeCluster, worker: number) {
    super()
    this.worker = worker
    this.#cluster = cluster
  }

  override async request(channel: string, message: unknown, timeoutMs: number) {
    const silent: number[] = []
    const answers: unknown[] = []
    for (const host of this.#cluster.hosts) {
      await new Promise(resolve => setImmediate(resolve)) // a message takes a turn of the loop
      if (this.#cluster.deaf.has(host.worker)) silent.push(host.worker)
      // As between processes: plain JSON, nothing shared.
      else answers.push(...(await host.deliver(channel, JSON.parse(JSON.stringify(message)), timeoutMs)))
    }
    return { answers, silent }
  }

  async deliver(channel: string, message: unknown, timeoutMs: number): Promise<readonly unknown[]> {
    return (await super.request(channel, message, timeoutMs)).answers
  }
}
