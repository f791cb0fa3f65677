// Kept connections that ask again and again, a moment after each answer, until they are told to stop; and what became of each question.
import { SteadyLoad } from '../../test/system/steady-load.ts'

export type SteadyOrder =
  | { readonly begin: { readonly port: number; readonly connections: number; readonly pauseMs: number } }
  | { readonly end: true }

export interface SteadyReport {
  readonly answered: number
  /** No connection could be made. */
  readonly refused: number
  /** Answered by an error. */
  readonly failed: number
  /** Asked, and the connection ended without an answer. */
  readonly lost: number
  /** By how many processes. */
  readonly processes: number
}

let load: SteadyLoad | undefined

process.on('message', (order: SteadyOrder) => {
  if ('begin' in order) {
    const { port, connections, pauseMs } = order.begin
    load = new SteadyLoad(undefined, port, connections, pauseMs)
    process.send!('begun')
    return
  }
  void load!.stop().then(() => process.send!(report(load!)))
})
process.on('disconnect', () => process.exit())

function report({ answered, broken, pids }: SteadyLoad): SteadyReport {
  const refused = broken.filter(({ error }) => error === 'ECONNREFUSED').length
  const failed = broken.filter(({ error }) => /^\d+$/.test(error)).length
  return { answered, refused, failed, lost: broken.length - refused - failed, processes: pids.size }
}
