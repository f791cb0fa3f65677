// millrace ctl COMMAND: asks a running server how it is, or to change something, over its control socket.
import { basename, dirname } from 'node:path'
import { ControlError, type ControlRequest } from '../../server/control-protocol.ts'
import { EXIT, type ExitCode } from '../../server/exit-codes.ts'
import type { ServerStatus } from '../../server/status.ts'
import { readCtlArguments } from '../ctl-arguments.ts'
import { ask, chooseServer } from '../ctl-server.ts'
import { statusTable } from '../status-table.ts'

/** @throws ControlError when it was not done (exit code 1); SettingsError when it was not understood (2) */
export async function run(argv: readonly string[]): Promise<ExitCode> {
  const { request, server, socket, json } = readCtlArguments(argv, process.env)
  if (process.platform === 'win32')
    throw new ControlError(
      'CONTROL_NO_SERVER',
      'millrace ctl needs unix sockets with permissions, which Windows has not',
    )
  const result = await ask(await chooseServer(server, socket), request)
  process.stdout.write(json ? `${JSON.stringify(result, null, 2)}\n` : told(request, result))
  return EXIT.stopped
}

function told(request: ControlRequest, result: unknown): string {
  switch (request.command) {
    case 'status':
      return statusTable(result as ServerStatus)
    case 'reload': {
      const { workers, tookMs } = result as { workers: number; tookMs: number }
      return `reloaded ${people(workers)} in ${(tookMs / 1000).toFixed(1)} s\n`
    }
    case 'drain':
      return `worker ${request.worker} was replaced in ${((result as { tookMs: number }).tookMs / 1000).toFixed(1)} s\n`
    case 'scale': {
      const { workers } = result as { workers: number }
      return `${people(workers)} ${workers === 1 ? 'is' : 'are'} ready\n`
    }
    case 'heap-snapshot':
    case 'cpu-profile': {
      const shown = dirname(request.file) === process.cwd() ? basename(request.file) : request.file
      const tab = request.command === 'heap-snapshot' ? 'Memory' : 'Performance'
      const megabytes = ((result as { bytes: number }).bytes / 1e6).toFixed(1)
      return `wrote ${shown} (${megabytes} MB): load it in the ${tab} tab of Chrome's DevTools\n`
    }
    case 'purge':
      return `forgotten: ${request.tags.join(', ')}\n`
    case 'upgrade':
      return `a new process took over after ${((result as { tookMs: number }).tookMs / 1000).toFixed(1)} s; this one finishes what it has begun\n`
    case 'stop':
      return 'stopped\n'
  }
}

function people(workers: number): string {
  return workers === 1 ? '1 worker' : `${workers} workers`
}
