// millrace settings: the reference of all settings, as it is kept in docs/reference/settings.md.
import { EXIT, type ExitCode } from '../../server/exit-codes.ts'
import { settingsPage } from '../../server/settings-reference.ts'

export async function run(): Promise<ExitCode> {
  process.stdout.write(settingsPage())
  return EXIT.stopped
}
