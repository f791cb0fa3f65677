// One reading of the app: environment, manifest and settings as they were when it was started or reloaded.
import { type Environment, readEnvironment } from './environment.ts'
import { readManifest } from './manifest.ts'
import type { Manifest } from './messages.ts'
import { placeOf, resolveSettings } from './settings-sources.ts'
import type { WarmProcesses } from './warm-processes.ts'
import type { Command, SettingName, Settings } from './settings.ts'

export interface Generation {
  /** For the app's processes. */
  readonly environment: Environment
  readonly manifest: Manifest
  readonly settings: Settings
  /** Where the settings that somebody asked for come from. */
  readonly sources: ReadonlyMap<SettingName, string>
}

export interface GenerationSource {
  /** As typed: the module that exports the app. */
  readonly app: string
  readonly command: Command
  readonly flags: Readonly<Record<string, string>>
}

/** @param warm  may have a child that reads the app at once. @throws SettingsError, or StartError for an app that cannot be loaded */
export async function readGeneration(
  source: GenerationSource,
  signal?: AbortSignal,
  warm?: WarmProcesses,
): Promise<Generation> {
  const found = await readEnvironment(process.cwd(), placeOf('dotenv', source.flags))
  // What libraries look at to choose between strictness and speed; whoever sets it decides.
  const environment = { NODE_ENV: source.command === 'dev' ? 'development' : 'production', ...found }
  const manifest = await readManifest({
    app: source.app,
    environment,
    configFile: placeOf('config', source.flags),
    child: warm?.take('manifest', environment),
    ...(signal ? { signal } : {}),
  })
  const { values, sources } = resolveSettings({
    command: source.command,
    flags: source.flags,
    environment,
    configFile: manifest.configFile,
    app: manifest.server,
  })
  return { environment, manifest, settings: values, sources }
}

// Bound when the server starts; a reload cannot move them.
const FIXED: readonly SettingName[] = [
  'host',
  'port',
  'uds',
  'udsMode',
  'fd',
  'admin',
  'controlSocket',
  'controlSocketMode',
  'pidfile',
]

/** Settings that a reload would have to change but cannot. */
export function fixedChanges(before: Settings, after: Settings): readonly SettingName[] {
  return FIXED.filter(name => JSON.stringify(before[name]) !== JSON.stringify(after[name]))
}
