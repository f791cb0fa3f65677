// What a server finds around it: systems that it cannot run on are refused in one sentence, and a place that does it no good is warned of.
import { StartError } from './errors.ts'
import { EXIT } from './exit-codes.ts'

/** @throws StartError `SERVER_NO_PLATFORM`, exit code 1 */
export function refusePlatform(platform: NodeJS.Platform): void {
  // Node cannot listen on a descriptor there, which is how workers share a port; and there is no HUP, no TERM that could be listened to.
  if (platform === 'win32')
    throw new StartError(
      'SERVER_NO_PLATFORM',
      EXIT.fault,
      'workers cannot share a port on Windows; run this in WSL or in a container, or serve the app in one process: serve(app) of millrace/server',
    )
}

/** @param pid  of the supervisor */
export function surroundingWarnings(pid: number): readonly string[] {
  // The kernel gives orphans to process 1, and Node waits for its own children only: the others stay as zombies, each with a pid.
  return pid === 1
    ? [
        'this is process 1, which should collect the processes that others leave behind, and Node cannot: start it under an init ' +
          '(docker run --init, or tini in the image)',
      ]
    : []
}
