// What happens to a worker, each under load, and what that costs: the others serve on, nobody is refused, and only what the worker itself
// had in flight is lost. The counts of each case stand in the output of the test.
import assert from 'node:assert/strict'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import type { ServerStatus } from '../../src/server/status.ts'
import { type CommandOptions, type RunningServer, startServer, temporaryFolder } from './running-server.ts'
import { SteadyLoad } from './steady-load.ts'

// Three at a time: most of each is waiting.
const limits = { timeout: 240_000, concurrency: 3 }
const CONNECTIONS = 20
// About a thousand requests a second: more would starve the workers, and a healthy one would be taken for blocked.
const PAUSE_MS = 20
const readyPids = (status: ServerStatus): number[] =>
  status.workers.filter(({ state }) => state === 'ready').map(({ pid }) => pid)

/** Two workers under load. */
async function underLoad(context: TestContext, flags: readonly string[] = [], options: CommandOptions = {}) {
  const server = await startServer(context, ['serve', 'faulty.ts', '--port', '0', '--workers', '2', ...flags], options)
  const load = new SteadyLoad(context, server.port, CONNECTIONS, PAUSE_MS)
  context.after(() => load.stop())
  await load.more(100)
  return { server, load, before: readyPids(await server.status()) }
}

/** Two serve again, and the victim is none of them. */
async function isWhole(server: RunningServer, victim: number): Promise<void> {
  await server.statusWhen(status => readyPids(status).length === 2 && !readyPids(status).includes(victim))
}

/** Ends the load and counts. @returns how many requests of the victim were lost */
async function count(context: TestContext, load: SteadyLoad, victim: number): Promise<number> {
  await load.more(100)
  await load.stop()
  const refused = load.broken.filter(({ error }) => error === 'ECONNREFUSED').length
  const failed = load.broken.filter(({ error }) => /^\d+$/.test(error)).length
  const lost = load.broken.length - refused - failed
  context.diagnostic(`answered ${load.answered}, refused ${refused}, failed ${failed}, lost ${lost}`)
  assert.equal(refused, 0)
  assert.equal(failed, 0)
  // Accepted by the victim but not answered once: 0.
  assert.deepEqual(
    load.broken.filter(({ pid }) => pid !== victim && pid !== 0),
    [],
  )
  assert.ok(lost <= CONNECTIONS, `${lost} lost`)
  return lost
}

/** Asks for a route that does not answer. @returns whose worker it was, by the line that tells of its end */
async function strike(server: RunningServer, path: string, told: RegExp): Promise<number> {
  const answer = fetch(server.url + path)
  answer.catch(() => {})
  const [, pid] = await server.says(told)
  await assert.rejects(answer)
  return Number(pid)
}

describe('a worker under load', limits, () => {
  test('killed by kill -9: only its own requests are lost', async context => {
    const { server, load, before } = await underLoad(context)
    process.kill(before[0]!, 'SIGKILL')
    await isWhole(server, before[0]!)
    await count(context, load, before[0]!)
    assert.match(server.errors, /was killed by SIGKILL; the next one starts at once \(not by Millrace: /)
  })

  test('stopped by SIGSTOP: killed when its time is up, told as stopped, and replaced', async context => {
    const { server, load, before } = await underLoad(context, ['--worker-timeout', '3s'])
    process.kill(before[0]!, 'SIGSTOP')
    await isWhole(server, before[0]!)
    await count(context, load, before[0]!)
    assert.match(server.errors, /\(pid \d+\) was silent for 3 s and is killed: it is stopped by a signal/)
  })

  test('waiting in a call of the system: killed, and told as that', async context => {
    const { server, load } = await underLoad(context, ['--worker-timeout', '3s'])
    const victim = await strike(server, '/wait', /\(pid (\d+)\) was silent for 3 s and is killed/)
    await isWhole(server, victim)
    await count(context, load, victim)
    assert.match(server.errors, /is killed: its event loop is blocked in a call of the system/)
  })

  test('out of heap: Node ends it, it is told as that and replaced', async context => {
    const { server, load } = await underLoad(context, [], {
      environment: { NODE_OPTIONS: '--max-old-space-size=48' },
    })
    const victim = await strike(server, '/fill', /\(pid (\d+)\) was killed by SIGABRT; .*its heap was full/)
    await isWhole(server, victim)
    await count(context, load, victim)
  })

  test('that calls process.exit in a handler is replaced', async context => {
    const { server, load } = await underLoad(context)
    const victim = await strike(server, '/exit', /\(pid (\d+)\) ended with code 7; the next one starts at once/)
    await isWhole(server, victim)
    await count(context, load, victim)
  })

  for (const [what, path, line] of [
    [
      'an error thrown in a timer',
      '/timer',
      /an error that nobody caught; worker \d ends\n +Error: thrown in a timer\n.*faulty\.ts:\d+/,
    ],
    [
      'a rejection that nobody handles',
      '/rejection',
      /a rejection that nobody handled; worker \d ends\n +Error: rejected and forgotten\n.*faulty\.ts:\d+/,
    ],
  ] as const)
    test(`that meets ${what} finishes its requests while its successor starts: nothing is lost`, async context => {
      const { server, load } = await underLoad(context)
      const answer = await fetch(server.url + path)
      assert.equal(answer.status, 200)
      assert.equal(answer.headers.get('connection'), 'close')
      const { pid } = (await answer.json()) as { pid: number }
      await isWhole(server, pid)
      assert.equal(await count(context, load, pid), 0)
      assert.match(server.errors, line)
      // Told once, however often it comes.
      assert.equal(server.errors.match(/worker \d ends\n/g)!.length, 1)
      assert.match(server.errors, /ends after an error that nobody caught; the next one starts at once/)
      await server.statusWhen(status => status.workers.length === 2)
      assert.equal((await server.status()).restarts, 1)
    })
})

// Alone: between its report and its end there are seconds, in which it has to be given the processor.
describe('a worker whose event loop is', { timeout: 240_000 }, () => {
  test('in an endless loop: the code that holds it is told in the log, and the whole report is a file', async context => {
    const { server, load } = await underLoad(context, ['--worker-timeout', '3s'])
    const victim = await strike(server, '/spin', /\(pid (\d+)\) was silent for 3 s and is killed/)
    await isWhole(server, victim)
    await count(context, load, victim)
    const [, held, file] = /its event loop is held by (.+); report: (\S+)/.exec(server.errors)!
    assert.match(held!, /^spin \(faulty\.ts:\d+\) < [^<]*\(faulty\.ts:\d+\) in GET \/spin$/)
    const report = JSON.parse(await readFile(file!, 'utf8')) as Record<string, unknown>
    assert.ok('javascriptStack' in report && 'libuv' in report)
    // Variables hold passwords, and the folder of temporary files is everybody's.
    assert.ok(!('environmentVariables' in report))
    assert.equal((await stat(join(file!, '..'))).mode & 0o777, 0o700)
    await rm(join(file!, '..'), { recursive: true })
  })

  test('blocked, but going on before it is killed: that and what held it is told, and nothing is lost', async context => {
    const environment = { MILLRACE_REPORT_DIR: join(await temporaryFolder(context), 'reports') }
    const { server, load, before } = await underLoad(context, ['--worker-timeout', '3s'], { environment })
    assert.equal((await fetch(`${server.url}/hold`)).status, 200)
    await server.says(/was silent for \d s and goes on; it was held by .*\(faulty\.ts:\d+\).*; report: /)
    await load.more(100)
    assert.deepEqual(readyPids(await server.status()).sort(), before.sort())
    await load.stop()
    assert.deepEqual(load.broken, [])
  })
})

describe('a worker that was healthy and does not start again', limits, () => {
  for (const [what, boot, told] of [
    ['throws', 'throw', /the app did not start: .*no database/],
    ['hangs', 'hang', /worker \d was not ready within 10 s/],
  ] as const)
    test(`because it ${what} is tried again and again, ever more slowly, until it does`, async context => {
      const file = join(await temporaryFolder(context), 'boot')
      await writeFile(file, '')
      const { server, load, before } = await underLoad(context, boot === 'hang' ? ['--start-timeout', '10s'] : [], {
        environment: { BOOT: file },
      })
      await writeFile(file, boot)
      process.kill(before[0]!, 'SIGKILL')
      await server.says(told)
      await server.says(/the next one starts in 0\.25 s/)
      if (boot === 'throw') await server.says(/the next one starts in 0\.5 s/)
      await writeFile(file, '')
      await isWhole(server, before[0]!)
      await count(context, load, before[0]!)
    })
})
