// The part of the old server in an upgrade (handover.ts): starts a successor, and lets go of everything when that serves.
//
// Up to one moment all can be taken back: the new one ends, this one is told to stop, or a later change takes the place of this one. After that
// moment this server only leaves.
import type { Logger } from '../observe/logger.ts'
import { StartError } from './errors.ts'
import { EXIT } from './exit-codes.ts'
import { startSuccessor, type Successor } from './handover.ts'
import type { Holdings } from './holdings.ts'
import type { StartedService } from './messages.ts'
import type { ServiceManager } from './notify.ts'
import type { Relaunch } from './relaunch.ts'
import type { Services } from './services.ts'

export interface UpgradeFacts {
  readonly relaunch: Relaunch
  readonly ticketKeys: string
  readonly services: Services
  readonly holdings: Holdings
  readonly manager: ServiceManager
  readonly log: Logger
  /** Gives it up; the new one ends. */
  readonly signal: AbortSignal
  /** Called in that moment. */
  readonly leave: () => void
  /** It has been taken back: systemd is told again that all is well. */
  readonly stay: () => void
}

/**
 * @returns the new one, which has everything now; undefined when it was given up
 * @throws StartError why there is no new one
 */
export async function giveWay(facts: UpgradeFacts): Promise<Successor | undefined> {
  const { relaunch, ticketKeys, services, holdings, manager, log, signal, leave, stay } = facts
  const started = await services.started()
  if (started.length > 0) throw cannotBeHandedOver(started)
  if (signal.aborted) return undefined
  log.info('upgrading: a new server is started, this one goes on until it is ready')
  const successor = await startSuccessor({
    relaunch,
    estate: holdings.estate(ticketKeys),
    listenFd: holdings.socketFd,
    adminFd: holdings.adminFd,
    signal,
  })
  if (signal.aborted) {
    successor.dismiss()
    return undefined
  }
  manager.stopWatchdog()
  // Seconds, of a systemd that is slow to answer: much may have happened.
  await manager.tell(`MAINPID=${successor.pid}`)
  const { failure } = successor
  if (signal.aborted || failure !== undefined) {
    successor.dismiss()
    void manager.tell(`MAINPID=${process.pid}`)
    stay()
    if (signal.aborted) return undefined
    throw failure!
  }
  leave()
  await holdings.letGo()
  successor.release()
  return successor
}

// It is a child of ours, has what it needs to itself, and ends with us.
function cannotBeHandedOver(services: readonly StartedService[]): StartError {
  const names = services.map(({ name }) => name).join(' and ')
  return new StartError(
    'HANDOVER_FAILED',
    EXIT.service,
    `${names} runs once, in this process, and cannot be handed over; stop the server and start the new one`,
  )
}
