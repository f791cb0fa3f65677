// processes: what the processes of a server cost, and how soon there are enough of them again: after a worker is killed, and for a reload;
// beside Gunicorn with Uvicorn workers, and Fastify under node:cluster as its documentation has it, which reloads nothing.
//
// Asked from outside, on a new connection each time: a server has its full capacity when as many processes answer as before.
import { existsSync } from 'node:fs'
import { kill } from 'node:process'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { ServerStatus } from '../src/server/status.ts'
import { say } from './harness/compare.ts'
import { start, type Command, type Contender, type Running } from './harness/contender.ts'
import { ask } from './harness/load-request.ts'
import { circumstances } from './harness/machine.ts'
import type { Options } from './harness/options.ts'
import { installPeer, peerPath } from './harness/peers.ts'
import { residentKiB } from './harness/process-tree.ts'
import { installPythonPeer } from './harness/python-peer.ts'
import { aligned, writeResult } from './harness/report.ts'
import { median } from './harness/rounds.ts'

const ROOT = join(import.meta.dirname, '..')
const WORKERS = 2
/** A server that answers by fewer processes after this has not recovered. */
const PATIENCE_MS = 30_000
/** Of being idle, before memory is weighed. */
const SETTLE_MS = 3_000

interface Costs {
  readonly server: string
  readonly supervisorMiB: number
  readonly workerMiB: number
  readonly crashMs: number
  /** Undefined: it has none. */
  readonly reloadMs: number | undefined
}

interface Server extends Contender {
  readonly reloads: boolean
}

/** `millrace serve`, as it is built, of the app that says its pid. @throws Error when it is not built */
export function command(port: number, workers: number, more: readonly string[] = []): Command {
  if (!existsSync(join(ROOT, 'dist'))) throw new Error('there is no dist; run npm run build')
  const app = join(ROOT, 'bench/servers/pid.ts')
  const place = ['--host', '127.0.0.1', '--port', String(port), '--admin', `127.0.0.1:${adminOf(port)}`]
  const args = ['serve', app, '--workers', String(workers), ...place, ...more]
  return { file: process.execPath, args: [join(ROOT, 'bin/millrace.js'), ...args] }
}

export async function statusOf({ origin }: Running): Promise<ServerStatus> {
  const answer = await fetch(`http://127.0.0.1:${adminOf(Number(new URL(origin).port))}/status`)
  return (await answer.json()) as ServerStatus
}

/** Beside the port, and free in all likelihood. */
function adminOf(port: number): number {
  return port > 60_000 ? port - 5_000 : port + 5_000
}

export async function processes(options: Options): Promise<void> {
  const { servers, versions } = await everyServer(options.only)
  const costs: Costs[] = []
  for (const server of servers) costs.push(await costsOf(server, options.rounds))
  const output = options.json ? costs.map(each => JSON.stringify(each)).join('\n') : table(costs)
  process.stdout.write(`${output}\n`)
  if (!options.save) return
  const about = circumstances(versions)
  say(`written: ${writeResult(about.date, 'processes', { bench: 'processes', ...about, workers: WORKERS, costs })}`)
}

async function everyServer(only: readonly string[]): Promise<{ servers: Server[]; versions: Record<string, string> }> {
  const servers: Server[] = []
  const versions: Record<string, string> = {}
  const add = async (
    name: string,
    prepare: () => Promise<Server & { versions?: Readonly<Record<string, string>> }>,
  ) => {
    if (only.length > 0 && !only.includes(name)) return
    try {
      const { versions: its, ...server } = await prepare()
      servers.push(server)
      Object.assign(versions, its)
    } catch (error) {
      say(`left out: ${name}: ${(error as Error).message.split('\n')[0]}`)
    }
  }
  await add('millrace', async () => ({
    name: 'millrace',
    about: 'millrace serve, shipped defaults',
    reloads: true,
    command: port => command(port, WORKERS),
  }))
  await add('gunicorn', async () => {
    const { python, versions } = await installPythonPeer('fastapi')
    const app = ['--chdir', peerPath('fastapi'), 'pid:app', '-k', 'uvicorn_worker.UvicornWorker']
    const args = ['-m', 'gunicorn', ...app, '--workers', String(WORKERS), '--log-level', 'warning']
    return {
      name: 'gunicorn',
      about: 'FastAPI on Gunicorn with Uvicorn workers',
      reloads: true,
      versions,
      command: port => ({
        file: python,
        args: [...args, '--bind', `127.0.0.1:${port}`],
        env: { PYTHONDONTWRITEBYTECODE: '1' },
      }),
    }
  })
  await add('fastify', async () => ({
    name: 'fastify',
    about: 'Fastify under node:cluster, a dead worker forked again',
    reloads: false,
    versions: await installPeer('fastify'),
    command: port => ({ file: process.execPath, args: [peerPath('fastify', 'pid.js'), String(port), String(WORKERS)] }),
  }))
  return { servers, versions }
}

async function costsOf(server: Server, rounds: number): Promise<Costs> {
  const running = await start(server, [], { path: '/' })
  try {
    const first = await answeringPids(running, new Set())
    await pause(SETTLE_MS)
    const supervisorMiB = residentKiB([running.pid]) / 1024
    const workerMiB = residentKiB([...first]) / 1024 / WORKERS
    const crashes: number[] = []
    const reloads: number[] = []
    for (let round = 0; round < rounds; round++) {
      say(`${server.name}: round ${round + 1} of ${rounds}`)
      const pids = await answeringPids(running, new Set())
      const victim = [...pids][round % WORKERS]!
      crashes.push(await timed(() => kill(victim, 'SIGKILL'), running, new Set([victim])))
      if (server.reloads)
        reloads.push(await timed(() => kill(running.pid, 'SIGHUP'), running, await answeringPids(running, new Set())))
      await pause(1_000)
    }
    const reloadMs = reloads.length === 0 ? undefined : median(reloads)
    return { server: server.name, supervisorMiB, workerMiB, crashMs: median(crashes), reloadMs }
  } finally {
    await running.stop()
  }
}

/** @returns ms until as many processes answer again, none of them in `gone` */
async function timed(act: () => void, running: Running, gone: ReadonlySet<number>): Promise<number> {
  const beganMs = performance.now()
  act()
  await answeringPids(running, gone)
  return performance.now() - beganMs
}

/** Asks until `WORKERS` processes have answered since the last that was in `gone`. */
async function answeringPids(running: Running, gone: ReadonlySet<number>): Promise<ReadonlySet<number>> {
  const giveUpMs = performance.now() + PATIENCE_MS
  const pids = new Set<number>()
  while (pids.size < WORKERS) {
    if (performance.now() > giveUpMs) throw new Error(`${running.contender.name}: ${pids.size} of ${WORKERS} answer`)
    // Several at once: one after another might all be for whoever wakes first.
    const answers = await Promise.all(Array.from({ length: 4 }, () => answerOf(running)))
    for (const answer of answers) {
      if (answer?.status !== 200) continue
      const { pid } = JSON.parse(answer.body) as { pid: number }
      if (gone.has(pid)) pids.clear()
      else pids.add(pid)
    }
  }
  return pids
}

/** Undefined also for a connection that was given to a process which then died: under node:cluster nobody ever ends it. */
function answerOf({ origin }: Running) {
  return Promise.race([ask(origin, { path: '/' }).catch(() => undefined), pause(1_000, undefined)])
}

function table(costs: readonly Costs[]): string {
  const head = ['', 'supervisor MiB', 'worker MiB', 'crash ms', 'reload ms']
  const rows = costs.map(({ server, supervisorMiB, workerMiB, crashMs, reloadMs }) => [
    server,
    supervisorMiB.toFixed(0),
    workerMiB.toFixed(0),
    crashMs.toFixed(0),
    reloadMs === undefined ? 'none' : reloadMs.toFixed(0),
  ])
  return aligned([head, ...rows])
}
