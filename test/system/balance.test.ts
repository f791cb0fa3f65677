// A worker that has started later than the others gets its share of connections that were there before, and no request is lost by it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startServer } from './running-server.ts'
import { SteadyLoad } from './steady-load.ts'

test(
  'after a worker was killed its successor has its share of kept connections',
  { timeout: 240_000 },
  async context => {
    const server = await startServer(context, ['serve', 'steady.ts', '--port', '0', '--workers', '2'])
    const load = new SteadyLoad(context, server.port, 150, 50)
    await load.more(500)
    const [first] = (await server.status()).workers
    process.kill(first!.pid, 'SIGKILL')
    // For a while the other has them all.
    await server.statusWhen(({ workers }) =>
      workers.some(({ pid, counters }) => pid !== first!.pid && counters.connections > 120),
    )
    const killed = load.broken.length
    const even = await server.statusWhen(
      ({ connectionSkew, workers, total }) =>
        workers.length === 2 && total.connections > 140 && connectionSkew < 0.15 && total.parted > 0,
    )
    // How many depends on how many have come to the other one before its successor is there.
    assert.ok(even.total.parted >= 20, `${even.total.parted} parted`)
    await load.more(500)
    await load.stop()
    // Those of the killed worker, and nobody else.
    assert.equal(load.broken.length, killed)
    assert.ok(load.broken.every(({ pid }) => pid === first!.pid || pid === 0))
  },
)
