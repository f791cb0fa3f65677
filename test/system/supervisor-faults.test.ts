// The faults of a supervisor, each under load, each with what it cost: connections refused, requests failed, requests lost. The workers'
// own faults are in worker-faults.test.ts.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cp, readFile, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { join } from 'node:path'
import { after, describe, test, type TestContext } from 'node:test'
import { APPS, freePort, isRunning, RunningCommand, startServer, temporaryFolder } from './running-server.ts'
import { SteadyLoad } from './steady-load.ts'

const limit = { timeout: 240_000 }

// About a thousand requests a second: more leaves no processor to whoever starts, and each of these waits for that.
const PAUSE_MS = 10

interface Cost {
  readonly answered: number
  /** No connection could be made. */
  readonly refused: number
  /** Answered by an error. */
  readonly failed: number
  /** Asked, and never answered. */
  readonly lost: number
}

const costs: [fault: string, cost: Cost][] = []
after(() => {
  const rows = costs.map(([fault, { answered, refused, failed, lost }]) =>
    [fault.padEnd(44), ...[answered, refused, failed, lost].map(count => String(count).padStart(9))].join(''),
  )
  console.log([`${'fault'.padEnd(44)} answered  refused   failed     lost`, ...rows].join('\n'))
})

/** Ends the load and writes down what it met. */
async function costOf(fault: string, load: SteadyLoad): Promise<Cost> {
  await load.stop()
  const of = (is: (error: string) => boolean): number => load.broken.filter(({ error }) => is(error)).length
  const cost = {
    answered: load.answered,
    refused: of(error => error === 'ECONNREFUSED' || error === 'ENOENT'),
    failed: of(error => /^\d+$/.test(error)),
    lost: of(error => error === 'closed' || error === 'ECONNRESET' || error === 'EPIPE'),
  }
  assert.equal(cost.refused + cost.failed + cost.lost, load.broken.length, JSON.stringify(load.broken.slice(0, 3)))
  costs.push([fault, cost])
  return cost
}

const NOTHING = { refused: 0, failed: 0, lost: 0 }

function assertNothingLost({ refused, failed, lost }: Cost): void {
  assert.deepEqual({ refused, failed, lost }, NOTHING)
}

async function folderWithApp(context: TestContext): Promise<string> {
  const folder = await temporaryFolder(context, APPS)
  await cp(join(APPS, 'steady.ts'), join(folder, 'app.ts'))
  return folder
}

/** For a moment a connection of somebody else may have the number as its own. @throws when the port is not free within a second */
async function listensAgain(port: number): Promise<void> {
  for (const deadline = performance.now() + 1_000; ;) {
    const next = net.createServer().listen(port, '127.0.0.1')
    try {
      await once(next, 'listening')
      return void next.close()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || performance.now() > deadline) throw error
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }
}

describe('a supervisor', limit, () => {
  test('that is killed under load leaves no process after two seconds, and its port is free', async context => {
    const server = await startServer(context, ['serve', 'steady.ts', '--port', '0', '--workers', '2'])
    const workers = (await server.status()).workers.map(({ pid }) => pid)
    const load = new SteadyLoad(context, server.port, 20)
    await load.more(200)
    server.signal('SIGKILL')
    await server.exited
    const deadline = performance.now() + 2_000
    while (workers.some(isRunning) && performance.now() < deadline)
      await new Promise(resolve => setTimeout(resolve, 10))
    assert.deepEqual(workers.filter(isRunning), [])
    while (!load.broken.some(({ error }) => error === 'ECONNREFUSED'))
      await new Promise(resolve => setTimeout(resolve, 5))
    const cost = await costOf('kill -9 of the supervisor', load)
    await listensAgain(server.port)
    // Of each connection what was being answered, and what it asked of workers that were about to go.
    assert.ok(cost.lost <= 80, `${cost.lost} lost`)
    assert.equal(cost.failed, 0)
  })

  test('that reads a broken config on HUP goes on with the old one, and takes the mended', async context => {
    const directory = await folderWithApp(context)
    const server = await startServer(context, ['serve', 'app.ts', '--port', '0', '--workers', '2'], { directory })
    const before = (await server.status()).workers.map(({ pid }) => pid)
    const load = new SteadyLoad(context, server.port, 20, PAUSE_MS)
    const config = join(directory, 'millrace.config.ts')
    for (const [text, why] of [
      [
        'export default { workres: 3 }\n',
        /not reloaded, .*: millrace\.config\.ts holds workres, .* did you mean workers\?/,
      ],
      ['export default { graceTimeout: "long" }\n', /not reloaded, .*: graceTimeout in millrace\.config\.ts is "long"/],
      ['export default {{{\n', /not reloaded, .*millrace\.config\.ts:1/],
      ['throw new Error("no secrets")\n', /not reloaded, .*millrace\.config\.ts:1: no secrets/],
    ] as const) {
      await writeFile(config, text)
      server.signal('SIGHUP')
      await server.says(why)
    }
    assert.deepEqual(
      (await server.status()).workers.map(({ pid }) => pid),
      before,
    )
    await writeFile(config, 'export default { graceTimeout: "5s" }\n')
    server.signal('SIGHUP')
    await server.says(/reloaded 2 workers/)
    await load.more(100)
    assertNothingLost(await costOf('broken config on HUP, 4 kinds', load))
  })

  test('is reloaded 50 times in quick succession without losing a request', async context => {
    const server = await startServer(context, ['serve', 'steady.ts', '--port', '0', '--workers', '2'])
    const before = (await server.status()).workers.map(({ pid }) => pid)
    const load = new SteadyLoad(context, server.port, 20)
    await load.more(50)
    for (let times = 0; times < 50; times++) {
      server.signal('SIGHUP')
      // In every part of a reload: while the app is read, while a worker starts, while one drains.
      await new Promise(resolve => setTimeout(resolve, 10 + times * 4))
    }
    await server.says(/reloaded 2 workers/)
    const status = await server.statusWhen(
      ({ workers }) =>
        workers.length === 2 && workers.every(({ pid, state }) => state === 'ready' && !before.includes(pid)),
    )
    assert.equal(status.wantedWorkers, 2)
    assert.equal(status.restarts, 0)
    await load.more(50)
    assertNothingLost(await costOf('50 quick reloads', load))
  })
})

describe('two supervisors', limit, () => {
  /** The second ends with 4 and says why; the first does not notice. */
  async function second(
    context: TestContext,
    fault: string,
    port: number | (() => net.Socket),
    args: readonly string[],
    why: RegExp,
  ) {
    const load = new SteadyLoad(context, port, 10, PAUSE_MS)
    await load.more(50)
    const command = new RunningCommand(['serve', 'steady.ts', '--admin', 'off', ...args])
    assert.deepEqual(await command.exited, { code: 4, signal: null })
    assert.match(command.errors, why)
    await load.more(50)
    assertNothingLost(await costOf(fault, load))
  }

  test('for one port: the second ends with 4, and the first loses nothing', async context => {
    const server = await startServer(context, ['serve', 'steady.ts', '--host', '127.0.0.1', '--port', '0'])
    const args = ['--host', '127.0.0.1', '--port', String(server.port)]
    await second(
      context,
      'a second server for the port',
      server.port,
      args,
      /^error: 127\.0\.0\.1:\d+ is busy: another process listens/,
    )
    // Also when its own address is every interface.
    await second(
      context,
      'a second server for every interface',
      server.port,
      ['--port', String(server.port)],
      /is busy/,
    )
  })

  test('for one unix socket: the second ends with 4, and the file stays', async context => {
    const folder = await temporaryFolder(context)
    const path = join(folder, 'app.sock')
    await startServer(context, ['serve', 'steady.ts', '--uds', path])
    await second(
      context,
      'a second server for the unix socket',
      () => net.connect(path),
      ['--uds', path],
      /app\.sock is busy/,
    )
  })

  test('for one control socket, and for one pid file: the second ends with 4', async context => {
    const folder = await temporaryFolder(context)
    const [control, pidfile] = [join(folder, 'control.sock'), join(folder, 'server.pid')]
    const flags = ['--control-socket', control, '--pidfile', pidfile]
    const server = await startServer(context, ['serve', 'steady.ts', '--port', '0', ...flags])
    const port = ['--port', '0']
    await second(
      context,
      'a second server for the control socket',
      server.port,
      [...port, '--control-socket', control],
      /is the control socket of another server/,
    )
    await second(
      context,
      'a second server for the pid file',
      server.port,
      [...port, '--pidfile', pidfile],
      /names process \d+, which runs/,
    )
    assert.equal(await readFile(pidfile, 'utf8'), `${server.pid}\n`)
    const ctl = new RunningCommand(['ctl', 'status', '--socket', control])
    assert.equal((await ctl.exited).code, 0)
  })

  test('that start at the same moment for one port: one serves, the other ends with 4', async context => {
    const port = await freePort()
    const args = ['serve', 'steady.ts', '--host', '127.0.0.1', '--port', String(port), '--admin', 'off']
    const both = [new RunningCommand(args), new RunningCommand(args)]
    context.after(() => both.forEach(({ child }) => child.kill('SIGKILL')))
    const loser = await Promise.race(both.map(command => command.exited.then(() => command)))
    assert.equal((await loser.exited).code, 4)
    assert.match(loser.errors, /is busy/)
    const winner = both.find(command => command !== loser)!
    await winner.says(/ready in/)
    assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200)
  })
})

const canBeFirst = spawnSync('unshare', ['--pid', '--fork', '--mount-proc', 'true']).status === 0

describe('process 1', { ...limit, skip: !canBeFirst && 'no process namespace may be made here' }, () => {
  test('warns, serves with zombies about, and ends by TERM with 0', async context => {
    const port = await freePort()
    const command = new RunningCommand(['serve', 'orphans.ts', '--port', String(port), '--admin', 'off'], {
      isFirst: true,
    })
    context.after(() => command.child.kill('SIGKILL'))
    await command.says(/ready in/)
    assert.match(command.errors, /warn .*this is process 1, .*: start it under an init/)
    const load = new SteadyLoad(context, port, 10, PAUSE_MS)
    await load.more(50)
    const made = await fetch(`http://127.0.0.1:${port}/orphans/20`)
    const { zombies } = (await made.json()) as { zombies: number }
    assert.equal(zombies, 20)
    await load.more(100)
    assertNothingLost(await costOf('process 1 with 20 zombies', load))
    // unshare passes no signals on: to its child, which is process 1 of its namespace.
    const [first] = (await readFile(`/proc/${command.pid}/task/${command.pid}/children`, 'utf8')).trim().split(' ')
    process.kill(Number(first), 'SIGTERM')
    assert.equal((await command.exited).code, 0)
  })
})
