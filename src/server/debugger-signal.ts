// USR1 is the operator's. Node opens a debugger's port by it (127.0.0.1:9229) unless somebody else listens to the signal, and whoever can reach
// that port runs what they like: a process that is not told --inspect must never open it.
//
// Children are started with --disable-sigusr1, which blocks the signal in them. Not so the supervisor: a process that blocks a signal does not
// hear it either. It listens instead, from its first line on.

/** Before anything else. What came even earlier, while Node itself was starting, has opened the port: it is closed again. */
export function claimDebuggerSignal(): void {
  process.on('SIGUSR1', ignore)
  // The signal opens the port in a later turn of the loop.
  if (!process.execArgv.some(option => option.startsWith('--inspect'))) setImmediate(() => void closePort())
}

async function closePort(): Promise<void> {
  // Not every build of Node has it.
  const { default: inspector } = await import('node:inspector').catch(() => ({ default: undefined }))
  if (inspector?.url() !== undefined) inspector.close()
}

function ignore(): void {}
