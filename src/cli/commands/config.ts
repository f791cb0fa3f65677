// millrace config APP: the settings that `millrace serve` would have with the same options, and where each comes from. With --dev those of
// `millrace dev`. What cannot be used is refused here as there, before anything listens.
import { EXIT, type ExitCode } from '../../server/exit-codes.ts'
import { readGeneration } from '../../server/generation.ts'
import { strangeVariables } from '../../server/settings-sources.ts'
import { readArguments } from '../arguments.ts'
import { type EffectiveSetting, effectiveSettings, settingsTable } from '../effective-settings.ts'

export async function run(argv: readonly string[]): Promise<ExitCode> {
  const command = argv.includes('--dev') ? 'dev' : 'serve'
  const wantsJson = argv.includes('--json')
  const { app, flags } = readArguments(
    argv.filter(argument => argument !== '--dev' && argument !== '--json'),
    'config',
    command,
  )
  const generation = await readGeneration({ app, flags, command })
  for (const line of strangeVariables(generation.environment)) process.stderr.write(`${line}\n`)
  const settings = effectiveSettings(generation, command)
  process.stdout.write(wantsJson ? json(settings) : settingsTable(settings, process.stdout.columns ?? 80))
  return EXIT.stopped
}

function json(settings: readonly EffectiveSetting[]): string {
  return `${JSON.stringify(Object.fromEntries(settings.map(({ name, value, from }) => [name, { value, from }])), null, 2)}\n`
}
