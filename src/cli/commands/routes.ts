// millrace routes APP: the routes as a table, read from the app's manifest.
import { EXIT, type ExitCode } from '../../server/exit-codes.ts'
import { readEnvironment } from '../../server/environment.ts'
import { readManifest } from '../../server/manifest.ts'
import { readArguments } from '../arguments.ts'

export async function run(argv: readonly string[]): Promise<ExitCode> {
  const { app } = readArguments(argv, 'routes')
  const { routes } = await readManifest({ app, environment: await readEnvironment(process.cwd()) })
  const width = Math.max(0, ...routes.map(({ method }) => method.length))
  for (const { method, path } of routes) process.stdout.write(`${method.padEnd(width)}  ${path}\n`)
  return EXIT.stopped
}
