// How our own child processes are started: from source or from dist alike, with the conditions this process was started with.
import { extname, join } from 'node:path'

/** Node options for children: ours, without a debugger's port, which only one process can have. */
export function childArguments(): string[] {
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
