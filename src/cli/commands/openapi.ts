// millrace openapi APP: the OpenAPI document as JSON, without starting the app.
import { readEnvironment } from '../../server/environment.ts'
import { StartError } from '../../server/errors.ts'
import { EXIT, type ExitCode } from '../../server/exit-codes.ts'
import { readManifest } from '../../server/manifest.ts'
import { readArguments } from '../arguments.ts'

export async function run(argv: readonly string[]): Promise<ExitCode> {
  const { app } = readArguments(argv, 'openapi')
  const environment = await readEnvironment(process.cwd())
  const { openapi } = await readManifest({ app, environment, wantsOpenapi: true })
  if (openapi === undefined)
    throw new StartError('LOAD_NO_OPENAPI', EXIT.app, `${app} does not describe itself by OpenAPI`)
  process.stdout.write(`${JSON.stringify(openapi, null, 2)}\n`)
  return EXIT.stopped
}
