// millrace routes APP: the routes as a table, read from the app's manifest.
import { EXIT, type ExitCode } from '../../server/exit-codes.ts'
import { readEnvironment } from '../../server/environment.ts'
import { readManifest } from '../../server/manifest.ts'
import { routeTable } from '../route-table.ts'
import { readArguments } from '../arguments.ts'

export async function run(argv: readonly string[]): Promise<ExitCode> {
  const { app } = readArguments(argv, 'routes')
  const { routes } = await readManifest({ app, environment: await readEnvironment(process.cwd()) })
  process.stdout.write(routeTable(routes, process.stdout.columns ?? 80))
  return EXIT.stopped
}
