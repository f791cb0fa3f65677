// How our own child processes are started: from source or from dist alike, with the conditions this process was started with.
import { type ChildProcess, fork } from 'node:child_process'
import { extname, join } from 'node:path'
import type { Environment } from './environment.ts'

/** A warm one loads, before it is asked for anything, all that an app is likely to need (warm-up.ts). */
export type Warmth = 'cold' | 'warm'

/** The descriptor of the listening socket in a worker, after stdin, stdout, stderr and the IPC channel. */
export const LISTEN_FD = 4

/** Waits for 'start'. @param socketFd  of the held socket in this process */
export function forkWorker(environment: Environment, socketFd: number, warmth: Warmth): ChildProcess {
  return fork(modulePath('worker'), [warmth], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', socketFd],
    env: { ...environment },
    execArgv: childArguments(),
  })
}

/** Waits to be told what to read. */
export function forkManifestChild(environment: Environment, warmth: Warmth): ChildProcess {
  return fork(modulePath('manifest-child'), [warmth], {
    // What the app prints while it is loaded is printed again by each worker; here it is kept for the case that nothing else is said.
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...environment },
    execArgv: childArguments(),
  })
}

/** Waits to be told which function to call. */
export function forkHooksChild(environment: Environment): ChildProcess {
  return fork(modulePath('hooks-child'), [], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...environment },
    execArgv: childArguments(),
  })
}

/** Node options for children: ours, without a debugger's port, which only one process can have. */
function childArguments(): string[] {
  const inherited = process.execArgv.filter(option => !option.startsWith('--inspect'))
  // USR1 must not open an inspector: it is the operator's.
  const flag = '--disable-sigusr1'
  const knows = process.allowedNodeEnvironmentFlags.has(flag) && !inherited.includes(flag)
  return knows ? [...inherited, flag] : inherited
}

/** A module of this folder, with the extension that this one has: .ts in a clone, .js in the package. */
export function modulePath(name: string): string {
  return join(import.meta.dirname, name + extname(import.meta.filename))
}
