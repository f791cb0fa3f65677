// The slow clients of bench/clients/slow.py, as a process on the core of the load.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** Where each kind comes from; see slow.py. */
export const SLOW_ADDRESSES = { head: '127.0.0.2', body: '127.0.0.3', reader: '127.0.0.4' } as const
export type SlowKind = keyof typeof SLOW_ADDRESSES
export const SLOW_KINDS = Object.keys(SLOW_ADDRESSES) as readonly SlowKind[]

const SCRIPT = join(import.meta.dirname, '../clients/slow.py')

export interface SlowClients {
  /** performance.now() at which the clients of a kind had all been ended by the server, to the second they look; grows. */
  readonly goneAtMs: ReadonlyMap<SlowKind, number>
  stop(): Promise<void>
}

/**
 * Resolves when all are connected and at it.
 *
 * @param sockets  of each kind
 * @param pin  puts a command on the core of the load
 */
export async function slowClients(port: number, sockets: number, pin: readonly string[]): Promise<SlowClients> {
  const [file, ...args] = [...pin, 'python3', SCRIPT, String(port), String(sockets)]
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const gone = once(child, 'exit')
  const failed = gone.then(([code]) => {
    throw new Error(`slow.py ended with ${String(code)}`)
  })
  failed.catch(() => {})
  const lines = createInterface({ input: child.stdout })
  const goneAtMs = new Map<SlowKind, number>()
  lines.on('line', line => {
    const kind = SLOW_KINDS.find(kind => line === `gone ${kind}`)
    if (kind !== undefined) goneAtMs.set(kind, performance.now())
  })
  await Promise.race([once(lines, 'line'), failed])
  return {
    goneAtMs,
    stop: async () => {
      child.stdin.end()
      await gone
    },
  }
}
