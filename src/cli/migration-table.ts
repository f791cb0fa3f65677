// Migrations as a table for a person: file, state, and when it was applied, within 80 columns as long as the names of files allow.
import type { MigrationState, MigrationStatus } from '../data/postgres/migration-history.ts'

const NOTES: Readonly<Record<MigrationState, string>> = {
  applied: '',
  pending: '',
  edited: 'changed since: undo that, and put the change into a new file',
  missing: 'its file is gone: bring it back',
  late: 'comes before one that is applied: give it a higher number',
  newer: 'of a newer release: no such file here',
}

/** @param statuses  in the order of their numbers */
export function migrationTable(statuses: readonly MigrationStatus[]): string {
  if (statuses.length === 0) return 'no migrations\n'
  const width = Math.max(...statuses.map(({ name }) => name.length))
  const count = (state: MigrationState): number => statuses.filter(one => one.state === state).length
  const lines = statuses.flatMap(({ name, state, appliedAt }) => {
    const when = appliedAt === undefined ? '' : `${appliedAt.toISOString().slice(0, 19).replace('T', ' ')} UTC`
    const note = NOTES[state]
    return [`${name.padEnd(width)}  ${state.padEnd(7)}  ${when}`.trimEnd(), ...(note === '' ? [] : [`  ${note}`])]
  })
  const wrong = count('edited') + count('missing') + count('late')
  const sums = [`${count('applied')} applied`, `${count('pending')} pending`, ...(wrong > 0 ? [`${wrong} wrong`] : [])]
  return `${lines.join('\n')}\n\n${sums.join(', ')}\n`
}
