import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { forkWorker, LISTEN_FD } from '../../src/server/child-processes.ts'
import { holdSocket } from '../../src/server/listener.ts'
import type { FromWorker, ToWorker } from '../../src/server/messages.ts'
import { settingsFromCode } from '../../src/server/settings-sources.ts'

const APP = join(import.meta.dirname, '../fixtures/apps/steady.ts')

/** Whether every thread of it stands: a signal reaches one that runs a moment later. */
async function isStopped(pid: number): Promise<boolean> {
  return /^State:\s+T/m.test(await readFile(`/proc/${pid}/status`, 'utf8'))
}

test(
  'a worker that is told to drain while it opens loses nobody whom it has accepted',
  { timeout: 240_000 },
  async context => {
    const held = await holdSocket({ kind: 'tcp', host: '127.0.0.1', port: 0 })
    context.after(() => held.close())
    const settings = settingsFromCode({}, {})
    const child = forkWorker({ ...process.env }, held.fd, 'cold')
    context.after(() => child.kill('SIGKILL'))
    const said: string[] = []
    const tell = (message: ToWorker): boolean => child.send(message)
    child.on('message', (message: FromWorker) => said.push(message.type))
    tell({
      type: 'start',
      plan: {
        app: APP,
        worker: 1,
        workers: 1,
        settings,
        isDevelopment: false,
        listenFd: LISTEN_FD,
        services: [],
        ticketKeys: randomBytes(48).toString('base64'),
        reportDir: tmpdir(),
      },
    })
    while (!said.includes('loaded')) await once(child, 'message')
    // It finds both at once: else it might be open before it hears of the second.
    child.kill('SIGSTOP')
    while (!(await isStopped(child.pid!))) await setTimeout(5)
    tell({ type: 'open' })
    tell({ type: 'drain', mode: 'orderly', delayMs: 0, graceMs: 5_000 })
    child.kill('SIGCONT')
    const [code] = await once(child, 'exit')
    assert.equal(code, 0)
    // It never listened: who comes is left to the others, and finds nobody here.
    assert.ok(!said.includes('ready'), said.join())
    assert.ok(held.address.kind === 'tcp')
    const socket = net.connect(held.address.port, '127.0.0.1')
    const outcome = await new Promise(resolve => {
      socket.on('connect', () => resolve('connected'))
      socket.on('error', error => resolve((error as NodeJS.ErrnoException).code))
    })
    socket.destroy()
    assert.equal(outcome, 'ECONNREFUSED')
  },
)
