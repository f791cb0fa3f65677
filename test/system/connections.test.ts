// What many connections do to real processes that may have few descriptors.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import net from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from '../http/support/connect.ts'
import { CLOSE, startServer } from './running-server.ts'

const limit = { timeout: 240_000, skip: process.platform === 'win32' ? 'Windows has no such limit' : false }
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

async function dial(context: TestContext, port: number): Promise<Client> {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const client = new Client(socket, () => {})
  context.after(() => client.destroy())
  await once(socket, 'connect')
  return client
}

const left = ({ hasEnded, hasClosed }: Client) => hasEnded || hasClosed

/** Of a process, since it started; undefined where nothing tells. */
function cpuSeconds(pid: number): number | undefined {
  if (!existsSync(`/proc/${pid}/stat`)) return undefined
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  // 100 ticks a second: USER_HZ of every Linux.
  return (Number(fields[11]) + Number(fields[12])) / 100
}

describe('a worker with few descriptors', limit, () => {
  test('serves as many connections as its cap, tells the others, and takes new ones when some have gone', async context => {
    const flags = ['serve', 'steady.ts', '--port', '0', '--keep-alive-timeout', '60s']
    const server = await startServer(context, flags, { descriptors: 256 })
    const cap = 102
    const clients: Client[] = []
    for (let n = 0; n < cap; n++) clients.push(await dial(context, server.port))
    for (const client of clients) client.write(GET)
    for (const client of clients) await client.answers(1)
    const { pid } = (await server.status()).workers[0]!

    const refused: Client[] = []
    for (let n = 0; n < 300; n++) refused.push(await dial(context, server.port))
    for (const client of refused) {
      client.write(GET)
      await client.until(left).catch(() => {})
      if (client.text !== '') assert.match(client.text, /^HTTP\/1\.1 503 Service Unavailable\r\n/)
    }
    assert.ok(refused.some(({ text }) => text.includes('Retry-After: ')))
    const full = await server.statusWhen(({ total }) => total.refused.full === 300)
    assert.deepEqual([full.restarts, full.workers[0]!.pid, full.workers[0]!.counters.connections], [0, pid, cap])
    const metrics = await (await fetch(`${server.admin}/metrics`, CLOSE)).text()
    assert.match(metrics, /^millrace_connections_refused_total\{reason="full"\} 300$/m)

    const before = cpuSeconds(pid)
    await sleep(1000)
    if (before !== undefined) assert.ok(cpuSeconds(pid)! - before < 0.5, 'a worker at its cap is idle')

    for (const client of clients) client.write(GET)
    for (const client of clients) await client.answers(2)
    for (const client of clients.splice(0, 50)) client.destroy()
    await server.statusWhen(({ workers }) => workers[0]!.counters.connections === cap - 50)
    for (let n = 0; n < 50; n++) clients.push(await dial(context, server.port))
    for (const client of clients.slice(-50)) client.write(GET)
    for (const client of clients.slice(-50)) assert.equal((await client.answers(1))[0]!.status, 200)
  })

  test('that runs out of them goes on, idle, and serves when some are free again', async context => {
    const flags = ['serve', 'steady.ts', '--port', '0', '--keep-alive-timeout', '60s', '--max-connections', '100000']
    const server = await startServer(context, flags, { descriptors: 128 })
    const { pid } = (await server.status()).workers[0]!
    const clients: Client[] = []
    for (let n = 0; n < 300; n++) clients.push(await dial(context, server.port))
    // The first ones were accepted; for the last there was no descriptor left.
    clients[0]!.write(GET)
    assert.equal((await clients[0]!.answers(1))[0]!.status, 200)
    await clients
      .at(-1)!
      .until(left)
      .catch(() => {})
    const before = cpuSeconds(pid)
    await sleep(1000)
    if (before !== undefined) assert.ok(cpuSeconds(pid)! - before < 0.5, 'a worker without descriptors is idle')
    for (const client of clients) client.destroy()
    await server.statusWhen(({ workers }) => workers[0]!.counters.connections === 0)
    const next = await dial(context, server.port)
    next.write(GET)
    assert.equal((await next.answers(1))[0]!.status, 200)
    const { restarts, workers } = await server.status()
    assert.deepEqual([restarts, workers[0]!.pid], [0, pid])
  })
})
