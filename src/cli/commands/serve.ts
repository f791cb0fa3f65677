// millrace serve APP: workers under a supervisor, until a signal ends it.
import { readyText } from '../../server/banner.ts'
import { EXIT, type ExitCode } from '../../server/exit-codes.ts'
import { findPredecessor } from '../../server/handover.ts'
import { guardOutput } from '../../server/output.ts'
import { relaunchOf } from '../../server/relaunch.ts'
import { onSignals } from '../../server/signals.ts'
import { Supervisor } from '../../server/supervisor.ts'
import { readArguments } from '../arguments.ts'

export async function run(argv: readonly string[]): Promise<ExitCode> {
  guardOutput(process.stdout, process.stderr)
  const { app, flags } = readArguments(argv, 'serve', 'serve')
  const kin = { relaunch: relaunchOf(), predecessor: findPredecessor() }
  const supervisor = new Supervisor({ app, flags, command: 'serve' }, kin)
  onSignals(intention => {
    switch (intention) {
      case 'stop':
        return void supervisor.stop('orderly')
      case 'stop-quickly':
        return void supervisor.stop('quick')
      case 'reload':
        return void supervisor.reload()
      case 'more-workers':
        return supervisor.scale(1)
      case 'fewer-workers':
        return supervisor.scale(-1)
      case 'reopen':
        return supervisor.reopen()
      case 'upgrade':
        return void supervisor.upgrade()
    }
  })
  const started = await supervisor.start()
  if (started) process.stdout.write(readyText({ ...started, manifest: started.generation.manifest }))
  await supervisor.finished
  return EXIT.stopped
}
