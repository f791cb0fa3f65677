// Several Redis servers that belong together: a cluster, and a primary with its replica and a sentinel.
import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { join } from 'node:path'
import { freePort, RedisServer } from './redis.ts'
import { eventually, temporaryFolder } from './server.ts'

const SLOTS = 16384

export class RedisCluster {
  readonly nodes: readonly RedisServer[]

  private constructor(nodes: readonly RedisServer[]) {
    this.nodes = nodes
  }

  /** Primaries only, with an equal share of the slots each. */
  static async start(primaries: number): Promise<RedisCluster> {
    const started = await Promise.all(Array.from({ length: primaries }, () => clusterNode()))
    const nodes = started.map(({ node }) => node)
    const share = Math.ceil(SLOTS / primaries)
    for (const [n, node] of nodes.entries()) {
      await node.command('CLUSTER', 'ADDSLOTSRANGE', String(n * share), String(Math.min(SLOTS, (n + 1) * share) - 1))
      await node.command('CLUSTER', 'MEET', '127.0.0.1', String(nodes[0]!.port), started[0]!.bus)
    }
    for (const node of nodes)
      await eventually(async () => {
        const info = await node.command('CLUSTER', 'INFO')
        const isWhole = info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${primaries}`)
        return isWhole && info.includes(`cluster_size:${primaries}`) ? true : undefined
      })
    return new RedisCluster(nodes)
  }

  get urls(): readonly string[] {
    return this.nodes.map(({ url }) => url)
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map(node => node.stop()))
  }
}

// Its bus listens 10,000 ports further unless told otherwise, which may be beyond the last port.
async function clusterNode(): Promise<{ node: RedisServer; bus: string }> {
  const bus = String(await freePort())
  const node = await RedisServer.start([
    '--cluster-enabled',
    'yes',
    '--cluster-port',
    bus,
    '--cluster-node-timeout',
    '2000',
  ])
  return { node, bus }
}

export class WatchedRedis {
  readonly primary: RedisServer
  readonly replica: RedisServer
  readonly sentinelPort: number
  readonly #sentinelPid: number

  private constructor(primary: RedisServer, replica: RedisServer, sentinelPort: number, sentinelPid: number) {
    this.primary = primary
    this.replica = replica
    this.sentinelPort = sentinelPort
    this.#sentinelPid = sentinelPid
  }

  /** The sentinel calls the primary `shop`, and gives it up after half a second. */
  static async start(): Promise<WatchedRedis> {
    const primary = await RedisServer.start()
    const replica = await RedisServer.start(['--replicaof', '127.0.0.1', String(primary.port)])
    const port = await freePort()
    const file = join(await temporaryFolder(), 'sentinel.conf')
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `sentinel monitor shop 127.0.0.1 ${primary.port} 1`,
      'sentinel down-after-milliseconds shop 500',
      'sentinel failover-timeout shop 3000',
    ]
    await writeFile(file, `${lines.join('\n')}\n`)
    const child = spawn('/usr/bin/redis-server', [file, '--sentinel'], { stdio: 'ignore' })
    await once(child, 'spawn')
    const watched = new WatchedRedis(primary, replica, port, child.pid!)
    await eventually(async () =>
      (await watched.sentinel('REPLICAS').catch(() => '')).startsWith('*1') ? true : undefined,
    )
    return watched
  }

  get url(): string {
    return `redis://127.0.0.1:${this.sentinelPort}`
  }

  /** @returns the first line of the answer */
  async sentinel(command: string): Promise<string> {
    return RedisServer.at(this.sentinelPort).command('SENTINEL', command, 'shop')
  }

  async stop(): Promise<void> {
    process.kill(this.#sentinelPid, 'SIGKILL')
    await Promise.all([this.primary.stop(), this.replica.stop()])
  }
}
