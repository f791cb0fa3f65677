// What has been applied to a database, beside the files that there are: which are pending, and whether the history was rewritten. Pure.
import { MigrationError } from './migration-error.ts'
import { compareMigrations, type MigrationFile } from './migration-files.ts'

/** A row of the history's table. */
export interface AppliedMigration {
  readonly name: string
  readonly checksum: string
  readonly appliedAt: Date
}

/**
 * - `applied`: and the file is as it was then
 * - `pending`: `migrate` will apply it
 * - `edited`: after it had been applied
 * - `missing`: applied, and its file is gone while newer ones are there
 * - `late`: not applied, while a newer one is
 * - `newer`: applied by a newer release than this, whose files end before it
 */
export type MigrationState = 'applied' | 'pending' | 'edited' | 'missing' | 'late' | 'newer'

export interface MigrationStatus {
  readonly name: string
  readonly state: MigrationState
  readonly appliedAt: Date | undefined
}

/** @returns files and history together, in the order of their numbers */
export function compareHistory(
  files: readonly Pick<MigrationFile, 'name' | 'checksum'>[],
  history: readonly AppliedMigration[],
): readonly MigrationStatus[] {
  const applied = new Map(history.map(one => [one.name, one]))
  const newestApplied = newestOf(history)
  const newestFile = newestOf(files)
  const known = new Set(files.map(({ name }) => name))
  const ofFiles = files.map(({ name, checksum }): MigrationStatus => {
    const before = applied.get(name)
    if (before) return { name, state: before.checksum === checksum ? 'applied' : 'edited', appliedAt: before.appliedAt }
    const isLate = newestApplied !== undefined && compareMigrations(name, newestApplied) <= 0
    return { name, state: isLate ? 'late' : 'pending', appliedAt: undefined }
  })
  const ofHistory = history
    .filter(({ name }) => !known.has(name))
    .map(({ name, appliedAt }): MigrationStatus => {
      const isNewer = newestFile === undefined || compareMigrations(name, newestFile) > 0
      return { name, state: isNewer ? 'newer' : 'missing', appliedAt }
    })
  return [...ofFiles, ...ofHistory].toSorted((a, b) => compareMigrations(a.name, b.name))
}

/** @throws MigrationError `POSTGRES_MIGRATION_HISTORY` when the history was rewritten */
export function refuseRewritten(statuses: readonly MigrationStatus[]): void {
  for (const { name, state } of statuses) {
    const message = wrongWith(name, state, statuses)
    if (message !== undefined) throw new MigrationError('POSTGRES_MIGRATION_HISTORY', message, { file: name })
  }
}

function wrongWith(name: string, state: MigrationState, all: readonly MigrationStatus[]): string | undefined {
  switch (state) {
    case 'edited':
      return `${name} was edited after it had been applied; undo that, and put the change into a new file`
    case 'late': {
      const newest = newestOf(all.filter(one => one.appliedAt !== undefined))
      return `${name} comes before ${newest!}, which has been applied already; give it a higher number`
    }
    case 'missing':
      return `${name} has been applied, and its file is gone; bring it back: other databases still need it`
    default:
      return undefined
  }
}

function newestOf(all: readonly { readonly name: string }[]): string | undefined {
  return all.reduce<string | undefined>(
    (newest, { name }) => (newest === undefined || compareMigrations(name, newest) > 0 ? name : newest),
    undefined,
  )
}
