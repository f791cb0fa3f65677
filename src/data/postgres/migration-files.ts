// The files of a folder of migrations: `001-products.sql`, `002-carts.sql`. The numbers are their order; what has been applied never changes.
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MigrationError } from './migration-error.ts'
import { lineOf, splitStatements, type SqlStatement } from './sql-statements.ts'

export interface MigrationFile {
  /** With the extension. */
  readonly name: string
  readonly text: string
  readonly statements: readonly SqlStatement[]
  /** SHA-256 of the text, in hex. */
  readonly checksum: string
  /** False: its statements run one by one, and what ran before a failure stays. */
  readonly isTransactional: boolean
}

const NAME = /^(\d{1,18})[-_][\w.-]*\.sql$/

/** A line of its own, before the first statement. */
const NO_TRANSACTION = /^[ \t]*--[ \t]*millrace:[ \t]*no transaction[ \t]*$/m

/**
 * @param folder  a URL or a path
 * @returns in the order of their numbers; other files than .sql are left alone
 * @throws MigrationError `POSTGRES_MIGRATION_FOLDER`, `POSTGRES_MIGRATION_FILE`
 */
export async function readMigrations(folder: URL | string): Promise<readonly MigrationFile[]> {
  const path = pathOf(folder)
  const names = await namesIn(path)
  return Promise.all(names.map(async name => migrationOf(name, await readFile(join(path, name), 'utf8'))))
}

export function migrationOf(name: string, source: string): MigrationFile {
  // The same checksum on every system, whatever git does to the ends of lines, and whatever an editor puts first.
  const text = source.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n')
  const statements = splitStatements(text)
  const head = text.slice(0, statements[0]?.start ?? text.length)
  const file: MigrationFile = {
    name,
    text,
    statements,
    checksum: createHash('sha256').update(text).digest('hex'),
    isTransactional: !NO_TRANSACTION.test(head),
  }
  refuseTransactionWords(file)
  return file
}

/**
 * Makes the next file, with nothing in it but what it is for.
 *
 * @param title  in words: `add prices` makes 003-add-prices.sql
 * @returns its path
 * @throws MigrationError `POSTGRES_MIGRATION_FILE` for a title without a letter or a digit
 */
export async function newMigration(folder: URL | string, title: string): Promise<string> {
  const path = pathOf(folder)
  const slug = title
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
  if (slug === '')
    throw new MigrationError(
      'POSTGRES_MIGRATION_FILE',
      `${JSON.stringify(title)} makes no name of a file; say what changes, such as: add prices`,
    )
  await mkdir(path, { recursive: true })
  const last = (await namesIn(path)).at(-1)
  const digits = NAME.exec(last ?? '000-')?.[1] ?? '000'
  const number = String(BigInt(digits) + 1n).padStart(digits.length, '0')
  const file = join(path, `${number}-${slug}.sql`)
  await writeFile(file, `-- ${title}\n\n`, { flag: 'wx' })
  return file
}

function pathOf(folder: URL | string): string {
  return typeof folder === 'string' ? folder : fileURLToPath(folder)
}

async function namesIn(path: string): Promise<readonly string[]> {
  const found = await readdir(path).catch((error: NodeJS.ErrnoException) => {
    const message =
      error.code === 'ENOENT'
        ? `no migrations: there is no folder ${path}; "millrace migrate new" makes it with the first, --dir names another`
        : `the folder of migrations ${path} cannot be read: ${error.message}`
    throw new MigrationError('POSTGRES_MIGRATION_FOLDER', message, {}, { cause: error })
  })
  const names = found.filter(name => name.endsWith('.sql'))
  const strange = names.find(name => !NAME.test(name))
  if (strange !== undefined)
    throw new MigrationError(
      'POSTGRES_MIGRATION_FILE',
      `${strange} has no number; a migration is named 001-what-changes.sql, and numbers are the order`,
      { file: strange },
    )
  const ordered = names.toSorted((a, b) => compareMigrations(a, b))
  for (const [index, name] of ordered.entries()) {
    const before = ordered[index - 1]
    if (before !== undefined && compareMigrations(before, name) === 0)
      throw new MigrationError(
        'POSTGRES_MIGRATION_FILE',
        `${before} and ${name} have the same number; give the one that has not been applied anywhere a higher one`,
        { file: name },
      )
  }
  return ordered
}

/** By number: negative when `a` comes first, 0 when they claim the same place. */
export function compareMigrations(a: string, b: string): number {
  const difference = numberOf(a) - numberOf(b)
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

function numberOf(name: string): bigint {
  return BigInt(/^\d+/.exec(name)?.[0] ?? 0)
}

// They would end the transaction that the file runs in, and what follows would stay after a failure.
const TRANSACTION_WORD = /^(begin|start\s+transaction|commit|end|abort|rollback(?!.*\bto\b)|prepare\s+transaction)\b/is

function refuseTransactionWords({ name, text, statements, isTransactional }: MigrationFile): void {
  if (!isTransactional) return
  for (const { text: statement, start } of statements) {
    const word = TRANSACTION_WORD.exec(statement)?.[1]
    if (word === undefined) continue
    const line = lineOf(text, start)
    throw new MigrationError(
      'POSTGRES_MIGRATION_FILE',
      `${name}, line ${line}: ${word} has no place in a migration, which is a transaction already; take it out, or begin the file with ` +
        'the line "-- millrace: no transaction"',
      { file: name, line },
    )
  }
}
