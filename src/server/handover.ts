// USR2: a server that runs starts its successor, a new process of the same command line, and hands it the sockets. Both sides of it.
//
//   old   starts the new one with the listening socket as a descriptor, and says what it is                  'estate'
//   new   reads its settings and the app, starts its workers on that socket, and says so                     'ready'
//   old   lets go of the admin listener and of its names, drains its workers, and ends with code 0           'yours'
//   new   takes the admin listener, the control socket and the pid file
//   old   its leader has ended: one of the new ones leads                                                    'unled', or its end
//
// Until the old one lets go (upgrade.ts) nothing is given up: a new one that fails, or dies, or is told to end, leaves the old one as it was; and a
// new one whose old one is gone before that ends as well, because it is nobody's.
import { type ChildProcess, spawn } from 'node:child_process'
import { errorOf, type Failure, StartError } from './errors.ts'
import { EXIT } from './exit-codes.ts'
import type { ListenAddress } from './listener.ts'
import type { Relaunch } from './relaunch.ts'
import type { SocketAddress } from './setting-types.ts'
import { endedHow, type WorkerExit } from './worker-exit.ts'

/** What the old one leaves to the new one. */
export interface Estate {
  /** Process id of the old one. */
  readonly from: number
  /** What its settings asked for, and what it got: a port for 0, a socket that systemd has bound. */
  readonly wanted: ListenAddress
  readonly address: ListenAddress
  readonly admin: SocketAddress | undefined
  /** Where it listens for commands, if somebody chose the place. */
  readonly controlSocket: string | null
  /** 48 bytes in base64: sessions of TLS go on. */
  readonly ticketKeys: string
}

type ToSuccessor = { readonly type: 'estate'; readonly estate: Estate } | { readonly type: 'yours' | 'unled' }
type FromSuccessor = { readonly type: 'ready' } | { readonly type: 'failed'; readonly failure: Failure }

const VARIABLE = 'MILLRACE_HANDOVER'

// After stdin, stdout, stderr and the IPC channel.
export const ESTATE_FD = { listen: 4, admin: 5 } as const

// Reading the app may take a minute, and so may the start of its workers and of a service. One that has hung so long hangs for ever.
const PATIENCE_MS = 5 * 60_000

export interface SuccessorFacts {
  readonly relaunch: Relaunch
  readonly estate: Estate
  readonly listenFd: number
  readonly adminFd: number | undefined
  /** Gives it up. */
  readonly signal: AbortSignal
}

/** The new one, seen from the old one. */
export interface Successor {
  readonly pid: number
  /** Why it is no use any more: it has ended since it was ready. */
  readonly failure: StartError | undefined
  /** It is not to take our place. */
  dismiss(): void
  /** All is its own from now on. */
  release(): void
  /** Nobody leads here any more. */
  tellUnled(): void
}

/** @throws StartError why the new one did not become ready; it is gone, or on its way */
export async function startSuccessor({
  relaunch,
  estate,
  listenFd,
  adminFd,
  signal,
}: SuccessorFacts): Promise<Successor> {
  // Of systemd's variables those that name us are not its own.
  const {
    WATCHDOG_PID: _watched,
    LISTEN_PID: _meant,
    LISTEN_FDS: _count,
    LISTEN_FDNAMES: _names,
    ...environment
  } = process.env
  const child = spawn(relaunch.file, relaunch.args, {
    cwd: relaunch.directory,
    env: { ...environment, PWD: relaunch.directory, [VARIABLE]: String(process.pid) },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', listenFd, ...(adminFd === undefined ? [] : [adminFd])],
  })
  const give = (): boolean => child.kill('SIGTERM')
  signal.addEventListener('abort', give, { once: true })
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
  try {
    const ready = readiness(child)
    send(child, { type: 'estate', estate })
    await ready
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', give)
  }
  return {
    pid: child.pid!,
    get failure() {
      const { exitCode: code, signalCode: signal } = child
      return code === null && signal === null ? undefined : endedEarly({ code, signal }, 'it took over')
    },
    dismiss: () => void child.kill('SIGTERM'),
    release: () => {
      send(child, { type: 'yours' })
      // It is no child of ours any more: we may end before it.
      child.unref()
    },
    tellUnled: () => send(child, { type: 'unled' }),
  }
}

function send(child: ChildProcess, message: ToSuccessor): void {
  // One that has just died is heard of by its exit, and one that could not be started by its error.
  if (child.connected) child.send(message, () => {})
}

function readiness(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let failure: Failure | undefined
    child.on('message', (message: FromSuccessor) => {
      if (message.type === 'ready') resolve()
      else failure = message.failure
    })
    child.once('error', error =>
      reject(new StartError('HANDOVER_FAILED', EXIT.fault, `it cannot be started: ${error.message}`, { cause: error })),
    )
    child.once('exit', (code, signal) =>
      reject(failure === undefined ? endedEarly({ code, signal }, 'it was ready') : errorOf(failure)),
    )
  })
}

function endedEarly(exit: WorkerExit, before: string): StartError {
  return new StartError(
    'HANDOVER_FAILED',
    EXIT.fault,
    `the new process ${endedHow(exit)} before ${before}; what it printed says more`,
  )
}

/** The old one, seen from the new one. */
export class Predecessor {
  /** Resolves once the old one has said what there is. */
  readonly estate: Promise<Estate>
  /** Aborted when the old one is gone, or does not want us any more, before all was ours. */
  readonly lost: AbortSignal
  /** Resolves when no worker of the old one leads. */
  readonly unled: Promise<void>
  readonly #released = Promise.withResolvers<void>()

  constructor() {
    const estate = Promise.withResolvers<Estate>()
    const lost = new AbortController()
    const unled = Promise.withResolvers<void>()
    this.estate = estate.promise
    this.lost = lost.signal
    this.unled = unled.promise
    process.on('message', (message: ToSuccessor) => {
      if (message.type === 'estate') estate.resolve(message.estate)
      if (message.type === 'yours') this.#released.resolve()
      if (message.type === 'unled') unled.resolve()
    })
    const gone = (): void => lost.abort()
    process.once('disconnect', gone)
    process.once('disconnect', () => unled.resolve())
    void this.#released.promise.then(() => process.off('disconnect', gone))
    // Nothing more is said.
    void this.unled.then(() => process.connected && process.disconnect?.())
  }

  /** Workers serve. Resolves when all is ours; never when the old one is gone before. */
  async ready(): Promise<void> {
    process.send?.({ type: 'ready' } satisfies FromSuccessor)
    await this.#released.promise
  }

  /** Resolves when it has been told. */
  failed(failure: Failure): Promise<void> {
    return new Promise(resolve => {
      if (!process.connected) return resolve()
      process.send!({ type: 'failed', failure } satisfies FromSuccessor, () => resolve())
    })
  }
}

/** @returns undefined for a process that was started in any other way */
export function findPredecessor(): Predecessor | undefined {
  const pid = process.env[VARIABLE]
  // Not for workers, and not for what they start.
  delete process.env[VARIABLE]
  return pid === String(process.ppid) && process.connected ? new Predecessor() : undefined
}
