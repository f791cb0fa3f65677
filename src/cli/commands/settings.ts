// millrace settings: every setting, for people; with --markdown as it is kept in docs/reference/settings.md.
import { SettingsError } from '../../server/errors.ts'
import { EXIT, type ExitCode } from '../../server/exit-codes.ts'
import { settingsPage, settingsText } from '../../server/settings-reference.ts'

/** @throws SettingsError `CLI_UNKNOWN_FLAG` */
export async function run(argv: readonly string[]): Promise<ExitCode> {
  const strange = argv.find(argument => argument !== '--markdown')
  if (strange !== undefined)
    throw new SettingsError('CLI_UNKNOWN_FLAG', `millrace settings takes --markdown, and nothing like ${strange}`)
  process.stdout.write(argv.length > 0 ? settingsPage() : settingsText())
  return EXIT.stopped
}
