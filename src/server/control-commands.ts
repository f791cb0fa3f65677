// What each command of the control socket does with the supervisor, and what it answers.
import { ControlError, type ControlRequest } from './control-protocol.ts'
import type { InspectionOrder } from './inspection.ts'
import type { ChangeOutcome } from './changes.ts'
import type { ServerStatus } from './status.ts'

/** What can be asked of a supervisor. */
export interface Controlled {
  status(): ServerStatus
  reload(): Promise<ChangeOutcome>
  /** Resolves with the number that is wanted now, when all of them are ready. */
  scaleTo(workers: number): Promise<number>
  /** One worker is replaced, the new one ready first. @param worker  its number or its pid */
  replace(worker: number): Promise<ChangeOutcome>
  /** @returns bytes that were written */
  inspect(worker: number, order: InspectionOrder): Promise<number>
  /** Resolves when every worker has dropped what its caches keep with one of the tags. */
  purge(tags: readonly string[]): Promise<void>
  upgrade(): Promise<ChangeOutcome>
  /** Resolves when all is gone, which nobody may live to hear. */
  stop(mode: 'orderly' | 'quick'): Promise<void>
}

/** @throws ControlError, or what a worker said */
export async function obey(request: ControlRequest, controlled: Controlled): Promise<unknown> {
  switch (request.command) {
    case 'status':
      return controlled.status()
    case 'reload':
      return changed(await controlled.reload())
    case 'drain':
      return changed(await controlled.replace(request.worker))
    case 'scale': {
      const { wantedWorkers } = controlled.status()
      const to = 'to' in request ? request.to : Math.min(1024, Math.max(1, wantedWorkers + request.by))
      return { workers: await controlled.scaleTo(to) }
    }
    case 'heap-snapshot':
      return { bytes: await controlled.inspect(request.worker, { what: 'heap-snapshot', file: request.file }) }
    case 'cpu-profile': {
      const { file, seconds } = request
      return { bytes: await controlled.inspect(request.worker, { what: 'cpu-profile', file, seconds }) }
    }
    case 'purge':
      await controlled.purge(request.tags)
      return { purged: request.tags }
    case 'upgrade':
      return changed(await controlled.upgrade())
    case 'stop':
      void controlled.stop(request.quick ? 'quick' : 'orderly')
      return { stopping: true }
  }
}

function changed(outcome: ChangeOutcome): { readonly workers: number; readonly tookMs: number } {
  if (outcome.state === 'done') return { workers: outcome.replaced, tookMs: Math.round(outcome.tookMs) }
  const message =
    outcome.state === 'failed'
      ? `not done, what served before goes on: ${outcome.message}`
      : 'not done: a later reload, an upgrade or the end of the server came in between'
  throw new ControlError('CONTROL_NOT_DONE', message)
}
