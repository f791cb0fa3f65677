// The thread that counts the beats of a worker's event loop, and reports what holds it when they stay away. Started by loop-watch.ts.
import type { Debugger, Runtime, Session } from 'node:inspector'
import { workerData } from 'node:worker_threads'
import type { LoopWatchOrders } from './loop-watch.ts'
import { keepReport } from './report-file.ts'

// The type alone is imported: what loop-watch.ts needs would be loaded a second time, for this thread.
const { beats, beatMs, silentTicks, file } = workerData as LoopWatchOrders

// Runs where the code was stopped, so that the stack is its own. Not the variables: they hold passwords. Not the network: it would
// resolve the names of all peers. 100 frames: deeper than a stack that somebody reads.
const REPORT = `(() => {
  const { process, Error, JSON } = globalThis
  const { report } = process
  const before = { limit: Error.stackTraceLimit, env: report.excludeEnv, network: report.excludeNetwork }
  Error.stackTraceLimit = 100
  report.excludeEnv = report.excludeNetwork = true
  try {
    return JSON.stringify(report.getReport(new Error('the event loop is blocked')))
  } finally {
    Error.stackTraceLimit = before.limit
    report.excludeEnv = before.env
    report.excludeNetwork = before.network
  }
})()`

// In the frames of Millrace below a handler it is called so (app/handle.ts, app/plain-route.ts).
const ROUTE = `typeof route === 'object' && typeof route?.handler === 'function' ? route.name : undefined`

let [seen, ticks] = [-1, 0]

// Ticks and not time: when the process was stopped or the machine slept, this thread has as well.
setInterval(() => {
  const beat = Atomics.load(beats, 0)
  if (beat !== seen || Atomics.load(beats, 1) === 1) [seen, ticks] = [beat, 0]
  else if (++ticks === silentTicks) void report()
}, beatMs)

async function report(): Promise<void> {
  // Only now: the module is a megabyte that most workers never need.
  const inspector = await import('node:inspector')
  const session = new inspector.Session()
  session.connectToMainThread()
  session.once('Debugger.paused', ({ params }) => {
    void tell(session, params.callFrames).finally(() => session.post('Debugger.disable', () => session.disconnect()))
  })
  session.post('Debugger.enable')
  // Takes effect at the next function call or turn of a loop; inside a call of the system, when that returns.
  session.post('Debugger.pause')
}

async function tell(session: Session, frames: readonly Debugger.CallFrame[]): Promise<void> {
  const text = await evaluate(session, frames[0]!, REPORT)
  if (text === undefined) return
  let route: string | undefined
  // The innermost that knows; after its first await a handler has left those behind.
  for (const frame of frames) {
    route = await evaluate(session, frame, ROUTE)
    if (route !== undefined) break
  }
  keepReport(file, JSON.stringify({ ...(JSON.parse(text) as object), millrace: { route } }, undefined, 2))
}

function evaluate(session: Session, frame: Debugger.CallFrame, expression: string): Promise<string | undefined> {
  return new Promise(resolve =>
    session.post(
      'Debugger.evaluateOnCallFrame',
      { callFrameId: frame.callFrameId, expression, returnByValue: true, silent: true },
      (error: Error | null, answer: { result: Runtime.RemoteObject } | undefined) => {
        const value: unknown = error === null ? answer?.result.value : undefined
        resolve(typeof value === 'string' ? value : undefined)
      },
    ),
  )
}
