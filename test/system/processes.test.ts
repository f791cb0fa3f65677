// What the supervisor promises about processes, with real ones.
import assert from 'node:assert/strict'
import http from 'node:http'
import net from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { ServerStatus } from '../../src/server/status.ts'
import { holdSocket } from '../../src/server/listener.ts'
import { CLOSE, isRunning, RunningCommand, startServer, temporaryFolder } from './running-server.ts'
import { SteadyLoad } from './steady-load.ts'

const limit = { timeout: 240_000 }
const readyCount = (status: ServerStatus): number => status.workers.filter(({ state }) => state === 'ready').length
const pids = (status: ServerStatus): number[] => status.workers.map(({ pid }) => pid)

describe('workers', limit, () => {
  test('one that is killed is replaced, and only its own connections fail', async context => {
    const server = await startServer(context, ['serve', 'steady.ts', '--port', '0', '--workers', '2'])
    const load = new SteadyLoad(context, server.port, 40)
    await load.more(400)
    const victim = (await server.status()).workers[0]!.pid
    const killedAtMs = performance.now()
    process.kill(victim, 'SIGKILL')
    await server.statusWhen(status => readyCount(status) === 2 && !pids(status).includes(victim))
    const tookMs = performance.now() - killedAtMs
    await load.more(400)
    await load.stop()
    // Accepted by the kernel for the victim but not answered yet: 0.
    assert.deepEqual(
      load.broken.filter(({ pid }) => pid !== victim && pid !== 0),
      [],
    )
    assert.ok(load.broken.length <= 40, `${load.broken.length} broken`)
    assert.match(server.errors, /was killed by SIGKILL; the next one starts at once/)
    assert.equal((await server.status()).restarts, 1)
    assert.ok(tookMs < 20_000, `replaced after ${tookMs} ms`)
  })

  test('HUP replaces every worker by fresh ones, and no request fails', async context => {
    const server = await startServer(context, ['serve', 'steady.ts', '--port', '0', '--workers', '2'])
    const before = pids(await server.status())
    const load = new SteadyLoad(context, server.port, 40, 20)
    await load.more(200)
    server.signal('SIGHUP')
    await server.says(/reloaded 2 workers/)
    await load.more(200)
    await load.stop()
    assert.deepEqual(load.broken, [])
    const after = pids(await server.status())
    assert.equal(after.length, 2)
    assert.ok(after.every(pid => !before.includes(pid)))
    assert.ok(after.some(pid => load.pids.has(pid)))
  })

  test('TTIN and TTOU change their number without losing a request', async context => {
    const server = await startServer(context, ['serve', 'steady.ts', '--port', '0'])
    const load = new SteadyLoad(context, server.port, 20, 10)
    server.signal('SIGTTIN')
    await server.statusWhen(status => readyCount(status) === 2)
    await load.more(100)
    server.signal('SIGTTOU')
    await server.statusWhen(status => status.workers.length === 1)
    server.signal('SIGTTOU')
    await load.more(100)
    await load.stop()
    assert.deepEqual(load.broken, [])
    assert.equal((await server.status()).workers.length, 1)
  })

  test('what was counted by workers that are gone is still counted', async context => {
    const server = await startServer(context, ['serve', 'steady.ts', '--port', '0', '--keep-alive-timeout', '500ms'])
    for (let n = 0; n < 5; n++) await fetch(server.url, CLOSE)
    server.signal('SIGHUP')
    await server.says(/reloaded 1 worker/)
    await fetch(server.url, CLOSE)
    const status = await server.statusWhen(({ total }) => total.requests[2] === 6)
    assert.equal(status.reloads, 1)
  })

  test('none is left two seconds after the supervisor is killed', async context => {
    const server = await startServer(context, ['serve', 'steady.ts', '--port', '0', '--workers', '2'])
    const workers = pids(await server.status())
    server.signal('SIGKILL')
    await server.exited
    const deadline = performance.now() + 2000
    while (workers.some(isRunning) && performance.now() < deadline)
      await new Promise(resolve => setTimeout(resolve, 20))
    assert.deepEqual(workers.filter(isRunning), [])
  })
})

describe('stopping', limit, () => {
  test('TERM finishes a request that is being answered, then ends with code 0 and leaves nobody', async context => {
    const server = await startServer(context, ['serve', 'steady.ts', '--port', '0', '--workers', '2'])
    const workers = pids(await server.status())
    // Much longer than a heartbeat: what the status says is up to a second old.
    const slow = fetch(`${server.url}/slow/4000`)
    await server.statusWhen(status => status.total.inflight === 1)
    server.signal('SIGTERM')
    const answer = await slow
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('connection'), 'close')
    assert.ok(workers.includes(((await answer.json()) as { pid: number }).pid))
    assert.deepEqual(await server.exited, { code: 0, signal: null })
    assert.deepEqual(workers.filter(isRunning), [])
    await assert.rejects(fetch(server.url, CLOSE))
  })

  test('during the drain delay readiness is red, and new connections are answered and closed', async context => {
    const server = await startServer(context, ['serve', 'steady.ts', '--port', '0', '--drain-delay', '5s'])
    const { admin } = server as unknown as { admin: string }
    assert.equal((await fetch(`${admin}/readyz`)).status, 200)
    server.signal('SIGTERM')
    await server.statusWhen(status => status.isStopping)
    const ready = await fetch(`${admin}/readyz`)
    assert.equal(ready.status, 503)
    assert.equal(await ready.text(), 'draining\n')
    assert.equal((await fetch(`${admin}/livez`)).status, 200)
    const answer = await fetch(server.url)
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('connection'), 'close')
    assert.equal((await server.exited).code, 0)
  })

  test('a second TERM ends at once what the first waits for', async context => {
    const server = await startServer(context, ['serve', 'steady.ts', '--port', '0'])
    const slow = fetch(`${server.url}/slow/30000`)
    slow.catch(() => {})
    await server.statusWhen(status => status.total.inflight === 1)
    server.signal('SIGTERM')
    await server.statusWhen(status => status.isStopping)
    const beganMs = performance.now()
    server.signal('SIGTERM')
    assert.equal((await server.exited).code, 0)
    assert.ok(performance.now() - beganMs < 10_000)
    await assert.rejects(slow)
  })

  test('a request that outlives the grace time is cut', async context => {
    const server = await startServer(context, ['serve', 'steady.ts', '--port', '0', '--grace-timeout', '200ms'])
    const slow = fetch(`${server.url}/slow/30000`)
    slow.catch(() => {})
    await server.statusWhen(status => status.total.inflight === 1)
    server.signal('SIGINT')
    assert.equal((await server.exited).code, 0)
    await assert.rejects(slow)
  })
})

describe('a socket that is bound by somebody else', limit, () => {
  const flags = ['serve', 'steady.ts', '--workers', '2'] as const

  test('is served by all workers under load, through a reload, and is open when the server has ended', async context => {
    const held = await holdSocket({ kind: 'tcp', host: '127.0.0.1', port: 0 })
    context.after(() => held.close())
    const server = await startServer(context, [...flags, '--fd', '3'], { passed: held.fd })
    assert.ok(held.address.kind === 'tcp')
    assert.equal(server.port, held.address.port)
    const load = new SteadyLoad(context, server.port, 10, 10)
    await load.more(50)
    server.signal('SIGHUP')
    await server.says(/reloaded 2 workers/)
    await load.more(50)
    await load.stop()
    assert.deepEqual(load.broken, [])
    server.signal('SIGTERM')
    assert.equal((await server.exited).code, 0)
    // The next one finds it as it was.
    const next = await startServer(context, [...flags, '--fd', '3'], { passed: held.fd })
    assert.equal((await fetch(next.url, CLOSE)).status, 200)
  })

  test('is found by itself when systemd hands it over', async context => {
    const held = await holdSocket({ kind: 'tcp', host: '127.0.0.1', port: 0 })
    context.after(() => held.close())
    const server = await startServer(context, flags, { passed: held.fd, isActivated: true })
    assert.ok(held.address.kind === 'tcp')
    assert.equal(server.port, held.address.port)
    assert.equal((await fetch(server.url, CLOSE)).status, 200)
  })

  test('that is none is refused', async () => {
    const command = new RunningCommand([...flags, '--fd', '77', '--admin', 'off'])
    assert.equal((await command.exited).code, 4)
    assert.match(command.errors, /error: descriptor 77 is no socket/)
  })
})

describe('a unix socket', limit, () => {
  test('is served by all workers, survives a reload, and is removed at the end', async context => {
    const folder = await temporaryFolder(context)
    const socketPath = join(folder, 'app.sock')
    const server = await startServer(context, ['serve', 'steady.ts', '--uds', socketPath, '--workers', '2'])
    const ask = () =>
      new Promise<number | undefined>((resolve, reject) => {
        http
          .get({ socketPath, path: '/', agent: false }, response => {
            response.resume()
            resolve(response.statusCode)
          })
          .on('error', reject)
      })
    assert.equal(await ask(), 200)
    server.signal('SIGHUP')
    await server.says(/reloaded 2 workers/)
    assert.equal(await ask(), 200)
    server.signal('SIGTERM')
    assert.equal((await server.exited).code, 0)
    await assert.rejects(ask(), { code: 'ENOENT' })
  })
})

test('idle keep-alive connections do not hold up the end longer than their time-out', limit, async context => {
  const server = await startServer(context, ['serve', 'steady.ts', '--port', '0', '--keep-alive-timeout', '2s'])
  const idle = net.connect(server.port, '127.0.0.1')
  idle.resume()
  await server.statusWhen(status => status.total.connections === 1)
  server.signal('SIGTERM')
  const beganMs = performance.now()
  assert.equal((await server.exited).code, 0)
  assert.ok(performance.now() - beganMs < 10_000)
})
