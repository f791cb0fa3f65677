// The command line: checks the version of Node, then runs the command. Everything else is imported after the check.
import { claimDebuggerSignal } from '../server/debugger-signal.ts'
import { isSupportedNode, tooOldNode } from './node-version.ts'

claimDebuggerSignal()

if (isSupportedNode(process.versions.node)) {
  const { run } = await import('./run.ts')
  process.exit(await run(process.argv.slice(2)))
} else {
  process.stderr.write(`${tooOldNode(process.versions.node)}\n`)
  process.exitCode = 1
}
