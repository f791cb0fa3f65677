// What an application is told by its environment, typed: read and checked once, where it is written, before anything is served.
import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { MillraceError, UsageError } from '../core/error.ts'
import { compileFields } from '../schema/decode.ts'
import type { Issue } from '../schema/issue.ts'
import type { Out, Schema } from '../schema/schema.ts'

export interface SettingsSource {
  /** Default process.env. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Variables that count where the environment has none; it need not be there. Default .env in the working directory; false for no file. */
  readonly file?: string | false
}

/**
 * The application's own settings, by a schema of their names. Text becomes what the schema declares, as in a query; a list is written
 * with commas. `adminEmail` is read from ADMIN_EMAIL, or from a variable of its very name. An empty variable counts as unset.
 *
 * @throws MillraceError `APP_ENVIRONMENT` for variables that are missing or do not fit: names all of them, and never what they hold
 * @throws UsageError when the schema cannot be described, or validates asynchronously
 *
 * @example
 * export const config = settings(z.object({ adminEmail: z.email(), itemsPerPage: z.int().default(50) }))
 */
export function settings<S extends Schema>(schema: S, from: SettingsSource = {}): Out<S> {
  const decoder = compileFields(schema, 'query', 'settings()')
  const variables = { ...fromFile(from.file ?? '.env'), ...set(from.environment ?? process.env) }
  const fields = Object.create(null) as Record<string, string | readonly string[]>
  for (const name of decoder.names) {
    const text = variables[name] ?? variables[variableOf(name)]
    if (text !== undefined) fields[name] = decoder.lists.has(name) ? text.split(',').map(item => item.trim()) : text
  }
  const issues: Issue[] = []
  const values = decoder.decode(fields, issues)
  if (values instanceof Promise) {
    values.catch(() => {}) // whatever it says: it is not waited for
    throw new UsageError('APP_ENVIRONMENT', 'settings() are read at once: their schema may not be asynchronous')
  }
  if (issues.length > 0) throw new MillraceError('APP_ENVIRONMENT', told(issues))
  return values as Out<S>
}

type Variables = Record<string, string>

function fromFile(file: string | false): Variables {
  if (file === false) return {}
  try {
    // eslint-disable-next-line n/no-sync -- once, while the app's module is loaded: its values are constants there
    return set(parseEnv(readFileSync(file, 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw error
  }
}

/** Without those that are empty: that is how a shell or a platform unsets one. */
function set(variables: Readonly<Record<string, string | undefined>>): Variables {
  return Object.fromEntries(Object.entries(variables).filter((entry): entry is [string, string] => !!entry[1]))
}

function variableOf(name: string): string {
  return name
    .replaceAll(/([a-z\d])([A-Z])/g, '$1_$2')
    .replaceAll('-', '_')
    .toUpperCase()
}

function told(issues: readonly Issue[]): string {
  const each = issues.map(({ type, loc, msg }) => {
    const [, name, ...inside] = loc
    const at = [variableOf(String(name ?? 'settings')), ...inside].join('.')
    return type === 'missing' ? `${at} is not set` : `${at}: ${msg}`
  })
  return `the environment (and .env) does not have what the app needs: ${each.join('; ')}`
}
