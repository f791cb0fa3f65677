// What systemd is told, by the real systemd-notify to a socket that stands for it, and whether it would take our unit files.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, cp, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { APPS, atEnd, CLOSE, isRunning, ROOT, startServer, temporaryFolder } from './running-server.ts'

const here = existsSync('/usr/bin/systemd-notify') && existsSync('/usr/bin/python3')
// With CI set nothing is skipped: then it fails for want of the program.
const limit = { timeout: 240_000, skip: !here && !process.env['CI'] && 'systemd-notify or python3 is not installed' }

// Node has no unix datagram sockets. One line for each message: when it came, in seconds, and its assignments.
const RECEIVER = `
import socket, sys, time
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(sys.argv[1])
print("bound", flush=True)
while True:
    text = listener.recv(65536).decode()
    print(time.monotonic(), text.strip().replace("\\n", " | "), flush=True)
`

interface Told {
  readonly atS: number
  readonly text: string
}

/** What stands for systemd. */
async function manager(context: TestContext) {
  const folder = await temporaryFolder(context)
  const path = join(folder, 'notify')
  const receiver = spawn('/usr/bin/python3', ['-c', RECEIVER, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  atEnd(context, () => receiver.kill('SIGKILL'))
  let text = ''
  let wake = (): void => {}
  receiver.stdout.setEncoding('utf8').on('data', (more: string) => {
    text += more
    wake()
  })
  const told = (): Told[] =>
    text
      .split('\n')
      .slice(1, -1)
      .map(line => ({ atS: Number(line.slice(0, line.indexOf(' '))), text: line.slice(line.indexOf(' ') + 1) }))
      // What systemd-notify asks for itself.
      .filter(message => message.text !== 'BARRIER=1')
  const until = async <T>(find: () => T | undefined): Promise<T> => {
    for (;;) {
      const found = find()
      if (found !== undefined) return found
      await new Promise<void>(resolve => (wake = resolve))
    }
  }
  await until(() => (text.startsWith('bound\n') ? true : undefined))
  return {
    folder,
    path,
    told,
    until,
    /** Resolves with the first that matches, of those after the first `from`. */
    hears: (pattern: RegExp, from = 0) =>
      until(() =>
        told()
          .slice(from)
          .find(message => pattern.test(message.text)),
      ),
  }
}

describe('systemd', limit, () => {
  test('is told of ready, reload, its failure, and stop, in this order, and twice in its time that all is well', async context => {
    const systemd = await manager(context)
    const folder = await temporaryFolder(context, APPS)
    await cp(join(APPS, 'steady.ts'), join(folder, 'app.ts'))
    const server = await startServer(context, ['serve', 'app.ts', '--port', '0', '--keep-alive-timeout', '500ms'], {
      directory: folder,
      environment: { NOTIFY_SOCKET: systemd.path, WATCHDOG_USEC: '2000000' },
    })
    const ready = await systemd.hears(/^READY=1/)
    assert.equal(ready.text, `READY=1 | STATUS=1 worker serves ${server.url}`)
    const times = await systemd.until(() => {
      const heard = systemd.told().filter(({ text }) => text === 'WATCHDOG=1')
      return heard.length < 5 ? undefined : heard.slice(0, 5).map(({ atS }) => atS)
    })
    // Once a second, on the mean: a machine may be slow to start any one systemd-notify.
    assert.ok(times[4]! - times[0]! < 4 * 1.8, times.join())
    let from = systemd.told().length
    server.signal('SIGHUP')
    const reloading = await systemd.hears(/^RELOADING=1/, from)
    const micros = Number(/^RELOADING=1 \| MONOTONIC_USEC=(\d+) \| STATUS=reloading$/.exec(reloading.text)?.[1])
    // systemd compares it with its own clock: the one that Python calls monotonic.
    assert.ok(micros / 1e6 > ready.atS && micros / 1e6 <= reloading.atS, `${ready.atS} ${micros} ${reloading.atS}`)
    await systemd.hears(/^READY=1 \| STATUS=1 worker serves/, from)
    from = systemd.told().length
    await writeFile(join(folder, 'app.ts'), 'export default nothing\n')
    server.signal('SIGHUP')
    await server.says(/not reloaded/)
    await systemd.hears(/^READY=1/, from)
    server.signal('SIGTERM')
    await systemd.hears(/^STOPPING=1 \| STATUS=stopping/, from)
    assert.equal((await server.exited).code, 0)
  })

  test('is not told that all is well while nobody serves, and is again when a new worker does', async context => {
    const systemd = await manager(context)
    const server = await startServer(context, ['serve', 'steady.ts', '--port', '0', '--worker-timeout', '5s'], {
      environment: { NOTIFY_SOCKET: systemd.path, WATCHDOG_USEC: '600000' },
    })
    await systemd.hears(/^WATCHDOG=1$/)
    const { pid } = (await server.status()).workers[0]!
    process.kill(pid, 'SIGSTOP')
    await server.statusWhen(({ workers }) => workers.some(worker => worker.pid !== pid && worker.state === 'ready'))
    await systemd.hears(/^WATCHDOG=1$/, systemd.told().length)
    const times = systemd
      .told()
      .filter(({ text }) => text === 'WATCHDOG=1')
      .map(({ atS }) => atS)
    const longest = Math.max(...times.slice(1).map((atS, n) => atS - times[n]!))
    // Ten intervals: by then systemd has restarted the unit five times over.
    assert.ok(longest > 3, `${longest} s`)
  })

  test('is told of the new main process on USR2, and not that the service stops', async context => {
    const systemd = await manager(context)
    let next = 0
    const server = await startServer(context, ['serve', 'steady.ts', '--port', '0', '--keep-alive-timeout', '500ms'], {
      environment: { NOTIFY_SOCKET: systemd.path, WATCHDOG_USEC: '1000000', WATCHDOG_PID: '' },
    })
    atEnd(context, () => next !== 0 && isRunning(next) && process.kill(next, 'SIGKILL'))
    const exit = new Promise(resolve => server.child.once('exit', resolve))
    await systemd.hears(/^READY=1/)
    server.signal('SIGUSR2')
    const main = await systemd.hears(/^MAINPID=\d+$/)
    next = Number(main.text.slice(8))
    assert.ok(isRunning(next))
    assert.notEqual(next, server.pid)
    await systemd.hears(/^READY=1/, systemd.told().indexOf(main))
    assert.equal(await exit, 0)
    assert.deepEqual(
      systemd.told().filter(({ text }) => text.startsWith('STOPPING')),
      [],
    )
    process.kill(next, 'SIGTERM')
    await systemd.hears(/^STOPPING=1/)
    await server.exited
  })

  test('that is to be told but has no systemd-notify is one warning; without NOTIFY_SOCKET nothing is started', async context => {
    const { folder, path } = await manager(context)
    const fake = join(folder, 'systemd-notify')
    await writeFile(fake, `#!/bin/sh\necho called >> ${folder}/called\n`)
    await chmod(fake, 0o755)
    const args = ['serve', 'steady.ts', '--port', '0', '--keep-alive-timeout', '500ms']
    const [without, unasked] = await Promise.all([
      startServer(context, args, {
        environment: { NOTIFY_SOCKET: path, WATCHDOG_USEC: '100000', PATH: '/nowhere' },
      }),
      startServer(context, args, {
        environment: { NOTIFY_SOCKET: '', WATCHDOG_USEC: '100000', PATH: `${folder}:/usr/bin:/bin` },
      }),
    ])
    await without.says(
      /warn .*systemd is not told how the server is: systemd-notify cannot be run: it is not installed/,
    )
    for (const server of [without, unasked]) {
      assert.equal((await fetch(server.url, CLOSE)).status, 200)
      server.signal('SIGTERM')
      assert.equal((await server.exited).code, 0)
    }
    assert.equal(without.errors.match(/systemd-notify/g)!.length, 1)
    await assert.rejects(stat(join(folder, 'called')), { code: 'ENOENT' })
  })
})

test(
  'the unit files are ones that systemd takes',
  {
    timeout: 240_000,
    skip: !existsSync('/usr/bin/systemd-analyze') && !process.env['CI'] && 'systemd-analyze is not installed',
  },
  async context => {
    const folder = await temporaryFolder(context)
    for (const name of ['millrace.service', 'millrace.socket']) {
      const unit = await readFile(join(ROOT, 'deploy/systemd', name), 'utf8')
      // It looks whether the program is there.
      await writeFile(join(folder, name), unit.replaceAll('/usr/bin/node', process.execPath))
    }
    const { status, stdout, stderr } = spawnSync(
      '/usr/bin/systemd-analyze',
      [
        'verify',
        '--man=no',
        '--recursive-errors=no',
        join(folder, 'millrace.service'),
        join(folder, 'millrace.socket'),
      ],
      { encoding: 'utf8' },
    )
    assert.deepEqual([status, stdout, stderr], [0, '', ''])
  },
)
