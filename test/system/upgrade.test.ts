// USR2 puts a new process in the place of a server that runs: under load, with real processes, and with new ones that fail.
import assert from 'node:assert/strict'
import { cp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import http from 'node:http'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import {
  APPS,
  atEnd,
  CLOSE,
  isRunning,
  ROOT,
  RunningCommand,
  type RunningServer,
  startServer,
  temporaryFolder,
} from './running-server.ts'
import { SteadyLoad } from './steady-load.ts'

// Of a whole group: its tests run one after another, on two busy cores perhaps.
const limit = { timeout: 240_000 }

/** A server with a folder, an app and a place for control sockets of its own. Whoever takes its place ends with the test as well. */
async function upgradable(
  context: TestContext,
  args: readonly string[] = [],
  variables: Readonly<Record<string, string>> = {},
) {
  const folder = await temporaryFolder(context, APPS)
  const pids = new Set<number>()
  const app = join(folder, 'app.ts')
  await cp(join(APPS, 'steady.ts'), app)
  const pidFile = join(folder, 'server.pid')
  const flags = ['--pidfile', pidFile]
  const environment = { TMPDIR: folder, XDG_RUNTIME_DIR: '', LEADER_LOG: join(folder, 'leader.log'), ...variables }
  const where = args.includes('--uds') ? [] : ['--port', '0']
  const server = await startServer(context, ['serve', 'app.ts', ...where, ...flags, ...args], {
    directory: folder,
    environment,
  })
  // Before the first is waited for: whoever takes its place has its pipes.
  atEnd(context, () => {
    for (const pid of pids) if (isRunning(pid)) process.kill(pid, 'SIGKILL')
  })
  pids.add(server.pid)
  return {
    server,
    folder,
    app,
    pidFile,
    ended: new Promise<number | null>(resolve => server.child.once('exit', resolve)),
    /** Resolves when another process serves, with its pid. */
    upgraded: async (): Promise<number> => {
      const [, text] = await server.says(/upgraded: process (\d+) serves in our place/)
      pids.add(Number(text))
      server.errors = server.errors.replace('upgraded:', 'upgraded before:')
      await server.statusWhen(({ pid }) => pid === Number(text))
      return Number(text)
    },
    ctl: async (...args: string[]) => {
      const command = new RunningCommand(['ctl', ...args], { directory: folder, environment })
      const { code } = await command.exited
      return { code, output: command.output, errors: command.errors }
    },
  }
}

const namedIn = async (pidFile: string): Promise<number> => Number(await readFile(pidFile, 'utf8'))

/**
 * A systemd that takes its time when it is told of another main process: what is called notes what it tells, and waits.
 *
 * @returns with the variables with which a server tells it
 */
async function slowManager(context: TestContext) {
  const place = await temporaryFolder(context)
  const [log, hold] = [join(place, 'told'), join(place, 'hold')]
  await writeFile(hold, '')
  await writeFile(
    join(place, 'systemd-notify'),
    `#!/bin/sh\necho "$1" >> ${log}\ncase $1 in MAINPID=*) while [ -e ${hold} ]; do sleep 0.02; done;; esac\n`,
    { mode: 0o755 },
  )
  const told = async (): Promise<string[]> => (await readFile(log, 'utf8').catch(() => '')).trimEnd().split('\n')
  return {
    place,
    environment: { NOTIFY_SOCKET: join(place, 'notify'), PATH: `${place}:${process.env['PATH']}` },
    told,
    /** Resolves with the pid of the new process, which is ready. */
    asked: async (): Promise<number> => {
      for (;;) {
        const [line] = (await told()).filter(line => line.startsWith('MAINPID='))
        if (line !== undefined) return Number(line.slice(8))
        await new Promise(resolve => setTimeout(resolve, 20))
      }
    },
    goOn: () => rm(hold),
  }
}

/** The new one has no parent here whom it would tell: it is asked until it is gone. */
async function gone(pid: number): Promise<void> {
  while (isRunning(pid)) await new Promise(resolve => setTimeout(resolve, 20))
}

/** Its parent knows that it has ended. */
async function reaped(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

describe('USR2', { timeout: 600_000 }, () => {
  test('twice in a row under load: a new process each time, the old one ends with 0, and no request fails', async context => {
    const { server, pidFile, ended, upgraded, ctl } = await upgradable(context, ['--workers', '2'])
    assert.equal(await namedIn(pidFile), server.pid)
    const oldWorkers = (await server.status()).workers.map(({ pid }) => pid)
    const load = new SteadyLoad(context, server.port, 20)
    /** Which of the workers have the connections is chance. */
    const answeredByWorkers = async (): Promise<void> => {
      load.pids.clear()
      await load.more(100)
      const workers = (await server.status()).workers.map(({ pid }) => pid)
      for (const pid of load.pids) assert.ok(workers.includes(pid), `${pid} is none of ${workers.join(' ')}`)
    }
    await answeredByWorkers()
    server.signal('SIGUSR2')
    const second = await upgraded()
    assert.equal(await ended, 0)
    assert.deepEqual(oldWorkers.filter(isRunning), [])
    await answeredByWorkers()
    while ((await namedIn(pidFile)) !== second) await new Promise(resolve => setTimeout(resolve, 20))
    // By ctl, which finds the new one by itself.
    const { code, output } = await ctl('upgrade')
    assert.equal(code, 0, output)
    const third = await upgraded()
    assert.notEqual(third, second)
    await gone(second)
    await answeredByWorkers()
    await load.stop()
    assert.deepEqual(load.broken, [])
    process.kill(third, 'SIGTERM')
    await gone(third)
    await assert.rejects(stat(pidFile), { code: 'ENOENT' })
    await assert.rejects(fetch(server.url, CLOSE))
  })

  test('with an app or a config that is broken leaves everything as it was and says why; mended, it is done', async context => {
    const { server, folder, app, pidFile, ended, upgraded, ctl } = await upgradable(context)
    const load = new SteadyLoad(context, server.port, 10)
    const before = (await server.status()).workers.map(({ pid }) => pid)
    await cp(join(APPS, 'bad/lifespan.ts'), app)
    server.signal('SIGUSR2')
    await server.says(/not upgraded, this server goes on: the app did not start: app\.ts:12: no connection/)
    await writeFile(join(folder, 'millrace.config.ts'), 'export default { prot: 1 }\n')
    const { code, errors } = await ctl('upgrade')
    assert.equal(code, 1)
    assert.match(errors, /^error: not done, what served before goes on: millrace\.config\.ts holds prot/)
    await load.more(50)
    const status = await server.status()
    assert.deepEqual([status.pid, status.workers.map(({ pid }) => pid)], [server.pid, before])
    assert.equal(await namedIn(pidFile), server.pid)
    await rm(join(folder, 'millrace.config.ts'))
    await cp(join(APPS, 'steady.ts'), app)
    server.signal('SIGUSR2')
    await upgraded()
    assert.equal(await ended, 0)
    await load.more(50)
    await load.stop()
    assert.deepEqual(load.broken, [])
  })

  test('hands over a unix socket and a control socket by their names', async context => {
    const place = await temporaryFolder(context)
    const [socketPath, control] = [join(place, 'app.sock'), join(place, 'control.sock')]
    const { server, ended, upgraded, ctl } = await upgradable(context, [
      '--uds',
      socketPath,
      '--control-socket',
      control,
    ])
    const ask = () =>
      new Promise<number | undefined>((resolve, reject) => {
        http
          .get({ socketPath, path: '/', agent: false }, response => resolve(response.resume().statusCode))
          .on('error', reject)
      })
    assert.equal(await ask(), 200)
    server.signal('SIGUSR2')
    const next = await upgraded()
    assert.equal(await ended, 0)
    assert.equal(await ask(), 200)
    const { output } = await ctl('status', '--socket', control)
    assert.match(output, new RegExp(`unix:${socketPath}  pid ${next} `))
    assert.equal((await ctl('stop', '--socket', control)).code, 0)
    await gone(next)
    for (const path of [socketPath, control]) await assert.rejects(stat(path), { code: 'ENOENT' })
  })

  test('that fails leaves the unix socket where it is, and so does one that is stopped', async context => {
    const place = await temporaryFolder(context)
    const socketPath = join(place, 'app.sock')
    const { server, app, ctl } = await upgradable(context, ['--uds', socketPath])
    const { ino } = await stat(socketPath)
    await cp(join(APPS, 'bad/lifespan.ts'), app)
    const { code, errors } = await ctl('upgrade')
    assert.equal(code, 1)
    assert.match(errors, /the app did not start: app\.ts:12: no connection/)
    assert.equal((await stat(socketPath)).ino, ino)
    await cp(join(APPS, 'slow-start.ts'), app)
    server.signal('SIGUSR2')
    await server.says(/the lifespan has begun/)
    await cp(join(APPS, 'steady.ts'), app)
    server.signal('SIGHUP')
    await server.says(/reloaded 1 worker/)
    assert.equal((await stat(socketPath)).ino, ino)
  })

  test('to another address gives up the old one: nobody waits where nobody is', async context => {
    const { server, folder, ended, upgraded } = await upgradable(context)
    await writeFile(join(folder, 'millrace.config.ts'), `export default { host: '127.0.0.2' }\n`)
    server.signal('SIGUSR2')
    await upgraded()
    assert.equal(await ended, 0)
    const { url } = await server.statusWhen(({ hasStarted }) => hasStarted)
    assert.match(url, /^http:\/\/127\.0\.0\.2:/)
    assert.equal((await fetch(url, CLOSE)).status, 200)
    // Left open, it would take the connection, and never answer.
    await assert.rejects(fetch(server.url, { ...CLOSE, signal: AbortSignal.timeout(10_000) }), { name: 'TypeError' })
  })

  test('leaves the lead to a worker of the new process only when the old leader has ended', async context => {
    const { server, folder, app, ended, upgraded } = await upgradable(context, ['--workers', '2'])
    await cp(join(APPS, 'led.ts'), app)
    server.signal('SIGHUP')
    await server.says(/reloaded 2 workers/)
    const log = join(folder, 'leader.log')
    const notes = async (): Promise<string[]> => (await readFile(log, 'utf8').catch(() => '')).trimEnd().split('\n')
    while ((await notes())[0] === '') await new Promise(resolve => setTimeout(resolve, 20))
    server.signal('SIGUSR2')
    await upgraded()
    assert.equal(await ended, 0)
    while ((await notes()).length < 3) await new Promise(resolve => setTimeout(resolve, 20))
    const [begins, ends, next] = await notes()
    assert.match(begins!, /^begins \d+$/)
    assert.equal(ends, begins!.replace('begins', 'ends'))
    assert.match(next!, /^begins \d+$/)
    const { workers, leader } = await server.status()
    assert.equal(next, `begins ${workers.find(({ number }) => number === leader)!.pid}`)
  })

  test('and kill -9 of the old one while it leaves: the new one goes on, and leads', async context => {
    const { server, app, ended, upgraded } = await upgradable(context)
    const steady = await readFile(app, 'utf8')
    // It does not end when it is told to: the old one has not said that nobody leads there when it dies.
    const led = `leader: () => new Promise<void>(resolve => setTimeout(resolve, 600_000))`
    await writeFile(app, steady.replace(`version: '1.0.0'`, `version: '1.0.0', ${led}`))
    server.signal('SIGHUP')
    await server.says(/reloaded 1 worker/)
    await server.statusWhen(({ leader }) => leader === 1)
    server.signal('SIGUSR2')
    const next = await upgraded()
    server.signal('SIGKILL')
    assert.equal(await ended, null)
    const { pid } = await server.statusWhen(({ leader }) => leader === 1)
    assert.equal(pid, next)
    assert.equal((await fetch(server.url, CLOSE)).status, 200)
  })

  test('of a server with a service that runs once is not done, and says why', async context => {
    const { server, folder, app, ctl } = await upgradable(context)
    await writeFile(
      join(folder, 'service.ts'),
      'export const start = async () => ({ address: {}, stop: async () => {} })\n',
    )
    const declares = `declareService({ name: 'tiny', key: 'one', module: new URL('./service.ts', import.meta.url).href, options: {} })`
    const host = join(ROOT, 'src/core/host.ts')
    const steady = await readFile(join(APPS, 'steady.ts'), 'utf8')
    await writeFile(app, `import { declareService } from ${JSON.stringify(host)}\n${declares}\n${steady}`)
    server.signal('SIGHUP')
    await server.says(/reloaded 1 worker/)
    const { code, errors } = await ctl('upgrade')
    assert.equal(code, 1)
    assert.match(errors, /what served before goes on: tiny runs once, in this process, and cannot be handed over/)
    assert.equal((await server.status()).pid, server.pid)
    assert.equal((await fetch(server.url, CLOSE)).status, 200)
  })

  test('and TERM before the new one is ready: both end, and the old one with 0', async context => {
    const { server, app, ended } = await upgradable(context)
    await cp(join(APPS, 'slow-start.ts'), app)
    server.signal('SIGUSR2')
    await server.says(/the lifespan has begun/)
    server.signal('SIGTERM')
    assert.equal(await ended, 0)
    // The pipes are closed when nobody has them any more: no process is left.
    assert.deepEqual(await server.exited, { code: 0, signal: null })
    await assert.rejects(fetch(server.url, CLOSE))
  })

  test('and kill -9 of the old one before the new one is ready: nobody is left, and the port is free', async context => {
    const { server, app } = await upgradable(context)
    await cp(join(APPS, 'slow-start.ts'), app)
    server.signal('SIGUSR2')
    await server.says(/the lifespan has begun/)
    server.signal('SIGKILL')
    assert.deepEqual(await server.exited, { code: null, signal: 'SIGKILL' })
    await assert.rejects(fetch(server.url, CLOSE))
  })
})

describe('a new process that is ready and has not taken over', { timeout: 300_000 }, () => {
  test('dies: the old one goes on, and systemd is told that it is the main process', async context => {
    const { environment, told, asked, goOn } = await slowManager(context)
    const { server, pidFile, upgraded, ended } = await upgradable(context, [], environment)
    server.signal('SIGUSR2')
    const next = await asked()
    process.kill(next, 'SIGKILL')
    await reaped(next)
    await goOn()
    await server.says(/not upgraded, this server goes on: the new process was killed by SIGKILL before it took over/)
    while ((await told()).at(-1) !== `MAINPID=${server.pid}`) await new Promise(resolve => setTimeout(resolve, 20))
    assert.equal((await server.status()).pid, server.pid)
    assert.equal((await fetch(server.url, CLOSE)).status, 200)
    assert.equal(await namedIn(pidFile), server.pid)
    server.signal('SIGUSR2')
    await upgraded()
    assert.equal(await ended, 0)
  })

  test('ends with the old one that is told to stop', async context => {
    const { environment, asked, goOn } = await slowManager(context)
    const { server, pidFile, ended } = await upgradable(context, [], environment)
    server.signal('SIGUSR2')
    const next = await asked()
    server.signal('SIGTERM')
    await server.says(/stopping: requests in flight are finished first/)
    await goOn()
    assert.equal(await ended, 0)
    await gone(next)
    await assert.rejects(fetch(server.url, CLOSE))
    await assert.rejects(stat(pidFile), { code: 'ENOENT' })
  })

  test('leaves when a reload comes in between, without a word to systemd and without its onStop', async context => {
    const { place, environment, told, asked, goOn } = await slowManager(context)
    const [hooks, noted] = [join(place, 'hooks.mjs'), join(place, 'noted')]
    await writeFile(
      hooks,
      `import { appendFileSync } from 'node:fs'\nexport const onStop = () => appendFileSync(${JSON.stringify(noted)}, 'onStop ')\n`,
    )
    const { server, ended } = await upgradable(context, ['--hooks', hooks], environment)
    server.signal('SIGUSR2')
    const next = await asked()
    server.signal('SIGHUP')
    await goOn()
    await server.says(/reloaded 1 worker/)
    await gone(next)
    assert.deepEqual(
      (await told()).filter(line => line === 'STOPPING=1'),
      [],
    )
    await assert.rejects(stat(noted), { code: 'ENOENT' })
    assert.equal((await server.status()).pid, server.pid)
    assert.equal((await fetch(server.url, CLOSE)).status, 200)
    server.signal('SIGTERM')
    assert.equal(await ended, 0)
    assert.equal(await readFile(noted, 'utf8'), 'onStop ')
  })
})

test('while the old process leaves, ctl finds the new one', limit, async context => {
  const { server, ended, upgraded, ctl } = await upgradable(context)
  const slow = fetch(`${server.url}/slow/600000`).catch(() => {})
  await server.statusWhen(({ total }) => total.inflight > 0)
  server.signal('SIGUSR2')
  const next = await upgraded()
  let answer = await ctl('status')
  // The new one takes the control socket when the old one has let go.
  while (!answer.output.includes(`pid ${next} `)) {
    assert.equal(answer.code, 0, answer.errors)
    answer = await ctl('status')
  }
  assert.ok(isRunning(server.pid))
  server.signal('SIGTERM')
  assert.equal(await ended, 0)
  await slow
})

test(
  'an upgrade that comes during a reload takes its place, and the reload is not told as done',
  limit,
  async context => {
    const { server, app, ended, upgraded, ctl } = await upgradable(context)
    await cp(join(APPS, 'slow-start.ts'), app)
    const reload = ctl('reload')
    await server.says(/the lifespan has begun/)
    await cp(join(APPS, 'steady.ts'), app)
    server.signal('SIGUSR2')
    await upgraded()
    const { code, errors } = await reload
    assert.equal(code, 1)
    assert.match(errors, /^error: not done: a later reload, an upgrade or the end of the server came in between/)
    assert.equal(await ended, 0)
  },
)

test('a reload that comes during an upgrade takes its place', limit, async context => {
  const { server, app }: { server: RunningServer; app: string } = await upgradable(context)
  await cp(join(APPS, 'slow-start.ts'), app)
  server.signal('SIGUSR2')
  await server.says(/the lifespan has begun/)
  await cp(join(APPS, 'steady.ts'), app)
  server.signal('SIGHUP')
  await server.says(/reloaded 1 worker/)
  assert.equal((await server.status()).pid, server.pid)
  assert.equal((await fetch(server.url, CLOSE)).status, 200)
})
