// What `millrace ctl` does with servers that run: real processes on both ends of the socket.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmod, cp, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import type { ServerStatus } from '../../src/server/status.ts'
import { APPS, CLOSE, RunningCommand, type RunningServer, startServer, temporaryFolder } from './running-server.ts'
import { SteadyLoad } from './steady-load.ts'

const limit = { timeout: 240_000 }

/** A place for control sockets that no other server knows. */
async function place(context: TestContext) {
  const folder = await temporaryFolder(context)
  const environment = { TMPDIR: folder, XDG_RUNTIME_DIR: '' }
  return {
    folder,
    environment,
    sockets: join(folder, `millrace-${process.getuid!()}`),
    start: (args: readonly string[] = []): Promise<RunningServer> =>
      startServer(context, ['serve', 'steady.ts', '--port', '0', '--keep-alive-timeout', '500ms', ...args], {
        environment,
      }),
    /** Runs to the end. */
    ctl: async (...args: string[]) => {
      const command = new RunningCommand(['ctl', ...args], { environment, directory: folder })
      const { code } = await command.exited
      return { code, output: command.output, errors: command.errors }
    },
  }
}

describe('millrace ctl', limit, () => {
  test('status tells of every worker, for people within 80 columns and as JSON', async context => {
    const { start, ctl } = await place(context)
    const server = await start(['--workers', '2'])
    const { code, output, errors } = await ctl('status')
    assert.deepEqual([code, errors], [0, ''])
    assert.match(output, new RegExp(`^Steady  ${server.url}  pid ${server.pid}  up \\d+s\n2 of 2 workers ready`))
    assert.equal(output.match(/^ +\d+ +\d+ +ready /gm)?.length, 2)
    for (const line of output.split('\n')) assert.ok(line.length <= 80, line)
    const status = JSON.parse((await ctl('status', '--json')).output) as ServerStatus
    assert.equal(status.pid, server.pid)
    assert.deepEqual(
      status.workers.map(({ number, state }) => [number, state]),
      [
        [1, 'ready'],
        [2, 'ready'],
      ],
    )
  })

  test('reload, scale and drain wait for their end, and no request is lost', async context => {
    const { start, ctl } = await place(context)
    const server = await start(['--workers', '2', '--keep-alive-timeout', '5s'])
    const load = new SteadyLoad(context, server.port, 20, 10)
    await load.more(100)
    const before = await server.status()
    assert.match((await ctl('reload')).output, /^reloaded 2 workers in \d+\.\d s\n$/)
    const reloaded = await server.status()
    assert.equal(reloaded.reloads, 1)
    assert.ok(reloaded.workers.every(({ pid }) => !before.workers.some(old => old.pid === pid)))
    assert.equal((await ctl('scale', '+1')).output, '3 workers are ready\n')
    assert.equal((await server.status()).workers.filter(({ state }) => state === 'ready').length, 3)
    assert.equal((await ctl('scale', '1')).output, '1 worker is ready\n')
    const { pid } = (await server.status()).workers.find(({ number }) => number === 1)!
    assert.match((await ctl('drain', String(pid))).output, /^worker \d+ was replaced in \d+\.\d s\n$/)
    await load.more(100)
    await load.stop()
    assert.deepEqual(load.broken, [])
    const after = await server.statusWhen(({ workers }) => workers.length === 1)
    assert.notEqual(after.workers[0]!.pid, pid)
    assert.equal(after.restarts, 0)
  })

  test('a reload that was not done says why, with code 1, and the old workers go on', async context => {
    const { ctl, environment } = await place(context)
    const folder = await temporaryFolder(context, APPS)
    await cp(join(APPS, 'steady.ts'), join(folder, 'app.ts'))
    const server = await startServer(context, ['serve', 'app.ts', '--port', '0'], { directory: folder, environment })
    const [before] = (await server.status()).workers
    await writeFile(join(folder, 'app.ts'), 'export default nothing\n')
    const { code, output, errors } = await ctl('reload')
    assert.deepEqual([code, output], [1, ''])
    assert.match(
      errors,
      /^error: not done, what served before goes on: app\.ts:1: ReferenceError: nothing is not defined/,
    )
    assert.equal((await fetch(server.url, CLOSE)).status, 200)
    assert.deepEqual(
      (await server.status()).workers.map(({ pid }) => pid),
      [before!.pid],
    )
  })

  test('a heap snapshot and a CPU profile are written for their owner alone, never over another file', async context => {
    const { start, ctl, folder } = await place(context)
    await start()
    const heap = await ctl('heap-snapshot', '1', 'one.heapsnapshot')
    assert.deepEqual([heap.code, heap.errors], [0, ''])
    assert.match(heap.output, /^wrote one\.heapsnapshot \(\d+\.\d MB\): load it in the Memory tab/)
    const snapshot = JSON.parse(await readFile(join(folder, 'one.heapsnapshot'), 'utf8')) as { nodes: unknown[] }
    assert.ok(snapshot.nodes.length > 1000)
    const cpu = await ctl('cpu-profile', '1', 'one.cpuprofile', '--seconds', '1')
    assert.deepEqual([cpu.code, cpu.errors], [0, ''])
    const profile = JSON.parse(await readFile(join(folder, 'one.cpuprofile'), 'utf8')) as Record<string, number>
    assert.ok(profile['endTime']! - profile['startTime']! > 900_000)
    for (const name of ['one.heapsnapshot', 'one.cpuprofile'])
      assert.equal((await stat(join(folder, name))).mode & 0o777, 0o600)
    const again = await ctl('heap-snapshot', '1', 'one.heapsnapshot')
    assert.equal(again.code, 1)
    assert.match(again.errors, /^error: .*one\.heapsnapshot is there already, and is not written over/)
    const nowhere = await ctl('heap-snapshot', '1', 'no/such/folder/x')
    assert.match(nowhere.errors, /lies in a folder that is not there/)
  })

  test('stop finishes requests, ends the server with code 0, and comes back when it is gone', async context => {
    const { start, ctl, sockets } = await place(context)
    const server = await start()
    const slow = fetch(`${server.url}/slow/2000`)
    await server.statusWhen(status => status.total.inflight === 1)
    const { code, output } = await ctl('stop')
    assert.deepEqual([code, output], [0, 'stopped\n'])
    assert.equal((await slow).status, 200)
    assert.deepEqual(await server.exited, { code: 0, signal: null })
    assert.deepEqual(await readdir(sockets), [])
    const { code: none, errors } = await ctl('status')
    assert.equal(none, 1)
    assert.match(errors, /^error: no server of this user was found in .*; --socket names/)
  })

  test('of several servers it wants to know which, by port or pid', async context => {
    const { start, ctl } = await place(context)
    const [one, other] = await Promise.all([start(), start()])
    const { code, errors } = await ctl('status')
    assert.equal(code, 1)
    assert.match(errors, /^error: 2 servers run; --server says which, by port or pid:\n {2}pid \d+ /)
    assert.match((await ctl('status', '--server', String(one.port))).output, new RegExp(`pid ${one.pid} `))
    assert.match((await ctl('status', '--server', String(other.pid))).output, new RegExp(`pid ${other.pid} `))
    assert.match((await ctl('status', '--server', '1')).errors, /no server has the port or the pid 1; there is\n/)
  })

  test('an unknown worker is told with those that there are', async context => {
    const { start, ctl } = await place(context)
    await start(['--workers', '2'])
    for (const command of ['drain', 'heap-snapshot', 'cpu-profile']) {
      const { code, errors } = await ctl(command, '9')
      assert.deepEqual([code, errors], [1, 'error: there is no worker 9; there are 1, 2\n'])
    }
  })
})

describe('the control socket', limit, () => {
  test('is 0600 in a folder that is 0700, and off when it is turned off', async context => {
    const { start, sockets } = await place(context)
    const server = await start()
    assert.equal((await stat(sockets)).mode & 0o777, 0o700)
    const file = await stat(join(sockets, `${server.pid}.sock`))
    assert.ok(file.isSocket())
    assert.equal(file.mode & 0o777, 0o600)
    const off = await start(['--control-socket', 'off'])
    assert.deepEqual(await readdir(sockets), [`${server.pid}.sock`])
    assert.equal((await fetch(off.url, CLOSE)).status, 200)
  })

  test('is where and as it is asked for, and a second server is told that it is taken', async context => {
    const { start, ctl, folder } = await place(context)
    const path = join(folder, 'control.sock')
    const server = await start(['--control-socket', path, '--control-socket-mode', '660'])
    assert.equal((await stat(path)).mode & 0o777, 0o660)
    assert.match((await ctl('status', '--socket', path)).output, new RegExp(`pid ${server.pid} `))
    const second = new RunningCommand(['serve', 'steady.ts', '--port', '0', '--admin', 'off', '--control-socket', path])
    assert.equal((await second.exited).code, 4)
    assert.match(second.errors, /control\.sock is the control socket of another server that runs/)
    assert.match((await ctl('status', '--socket', path)).output, new RegExp(`pid ${server.pid} `))
  })

  test('that a killed server left is replaced, and one that is no socket is refused', async context => {
    const { start, ctl, folder, sockets } = await place(context)
    const path = join(folder, 'control.sock')
    const killed = await Promise.all([start(['--control-socket', path]), start()])
    for (const server of killed) {
      server.signal('SIGKILL')
      await server.exited
    }
    assert.match((await ctl('status', '--socket', path)).errors, /is what a server left that was killed/)
    const next = await start(['--control-socket', path])
    assert.match((await ctl('status', '--socket', path)).output, new RegExp(`pid ${next.pid} `))
    const other = await start()
    assert.deepEqual(await readdir(sockets), [`${other.pid}.sock`])
    const file = join(folder, 'file')
    await writeFile(file, 'mine')
    const refused = new RunningCommand([
      'serve',
      'steady.ts',
      '--port',
      '0',
      '--admin',
      'off',
      '--control-socket',
      file,
    ])
    assert.equal((await refused.exited).code, 4)
    assert.match(refused.errors, /file exists and is not a socket/)
    assert.equal(await readFile(file, 'utf8'), 'mine')
  })

  test('is not made in a folder that others can write to; the server goes on without', async context => {
    const { start, sockets } = await place(context)
    await mkdir(sockets)
    await chmod(sockets, 0o777)
    const server = await start()
    await server.says(/warn {2}no control socket: .* is not a folder that is yours alone \(mode 700\)/)
    assert.deepEqual(await readdir(sockets), [])
    assert.equal((await fetch(server.url, CLOSE)).status, 200)
  })

  test('answers bad input by what is wrong with it, and goes on', async context => {
    const { start, sockets } = await place(context)
    const server = await start()
    const path = join(sockets, `${server.pid}.sock`)
    const socket = net.connect(path)
    context.after(() => socket.destroy())
    let text = ''
    socket.setEncoding('utf8').on('data', (more: string) => (text += more))
    const lines = async (count: number): Promise<string[]> => {
      while (text.split('\n').length <= count) await once(socket, 'data')
      return text.split('\n')
    }
    socket.write('GET / HTTP/1.1\r\n{"command":"launch"}\n{"comm')
    socket.write('and":"status"}\n')
    const [http, unknown, status] = await lines(3)
    assert.match(http!, /"ok":false.*a line that is not JSON/)
    assert.match(unknown!, /"ok":false.*the command \\"launch\\"; there are status, reload/)
    assert.match(status!, /^\{"ok":true,"result":\{"title":"Steady"/)
    const closed = once(socket, 'close')
    socket.write('x'.repeat(20_000))
    assert.match((await lines(4))[3]!, /a line of more than 16384 bytes/)
    await closed
    assert.equal((await fetch(server.url, CLOSE)).status, 200)
  })
})
