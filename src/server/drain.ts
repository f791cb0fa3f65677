// Ends the serving of one process, in the order in which nothing is lost: keep accepting while balancers look away, stop listening,
// finish requests, then the app, then what registered with the host.
import type { Server } from 'node:net'
import type { StartedApp } from '../app/servable.ts'
import type { Engine } from '../http/engine.ts'
import type { Logger } from '../observe/logger.ts'
import type { DrainMode } from './messages.ts'

export interface Serving {
  readonly server: Server
  readonly doorway: { settled(): Promise<void>; close(): void }
  readonly engine: Engine
  readonly app: StartedApp
  readonly host: { drain(graceMs: number): Promise<readonly { name: string; error: unknown }[]> }
  readonly log: Logger
}

// 10 ms: nobody notices it between saving a file and reloading a page.
const LOOK_MS = 10

// What stop() gets at least, even when requests used up the grace time: closing a pool or writing a buffer is short.
const LEAST_STOP_MS = 1_000

// What somebody who keeps to the time has to say what was lost by it, also when its timer and ours are late together.
const LAST_WORDS_MS = 250

/** Resolves within about delayMs + graceMs + 1 s, whatever the app does. */
export async function drain(serving: Serving, mode: DrainMode, delayMs: number, graceMs: number): Promise<void> {
  const { server, doorway, engine, app, host, log } = serving
  if (mode !== 'quick' && delayMs > 0) {
    // From now on answers say `Connection: close`, while connections are still accepted.
    void engine.drain(delayMs + graceMs)
    await pause(delayMs)
  }
  server.close()
  const deadline = performance.now() + graceMs
  // Not before: what comes back at once must not come back to us.
  app.leave()
  if (mode === 'orderly') {
    // Who is on the way has been accepted: nobody else will serve it.
    await within(graceMs, 'a handshake', log, () => doorway.settled())
    await engine.drain(Math.max(0, deadline - performance.now()))
  }
  if (mode === 'prompt') {
    const gone = engine.handedOverGone(graceMs)
    while (engine.inflight > 0 && performance.now() < deadline) await pause(LOOK_MS)
    await gone
  }
  doorway.close()
  engine.close()
  const leftMs = () => (mode === 'quick' ? LEAST_STOP_MS : Math.max(LEAST_STOP_MS, deadline - performance.now()))
  await within(leftMs(), 'the app', log, ms => app.stop(ms))
  await within(leftMs(), 'what registered with onDrain', log, async ms => {
    for (const { name, error } of await host.drain(ms)) log.error({ err: error }, `${name} could not be drained`)
  })
}

async function within(ms: number, what: string, log: Logger, stop: (ms: number) => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>(resolve => (timer = setTimeout(resolve, ms + LAST_WORDS_MS, 'late')))
  try {
    if ((await Promise.race([stop(ms), late])) === 'late') log.warn(`${what} was not done within ${Math.round(ms)} ms`)
  } catch (error) {
    log.error({ err: error }, `${what} failed while stopping`)
  } finally {
    clearTimeout(timer)
  }
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
