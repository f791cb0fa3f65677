// How an embedded server is reached, and the two things that are asked of it there: whether it answers, and to hold a database.
import pg from 'pg'

/** What clients need in order to connect. */
export interface EmbeddedAddress {
  readonly socketDir: string
  readonly port: number
  readonly database: string
  readonly user: string
}

/** @returns a URL that pg and libpq read, for a server behind a unix socket */
export function socketUrl(address: EmbeddedAddress): string {
  const database = encodeURIComponent(address.database)
  return `postgresql:///${database}?host=${encodeURIComponent(address.socketDir)}&port=${address.port}&user=${address.user}`
}

/** Creates the database unless it is there; safe when several processes do so at once. */
export async function ensureDatabase(address: EmbeddedAddress, database: string): Promise<void> {
  const client = new pg.Client({ ...clientConfig(address), database: 'postgres' })
  client.on('error', () => {})
  await client.connect()
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [database])
    if (rowCount === 0) await client.query(`create database ${pg.escapeIdentifier(database)}`)
  } catch (error) {
    // 42P04 and 23505: another process created it between the two statements.
    if (!['42P04', '23505'].includes((error as { code?: string }).code ?? '')) throw error
  } finally {
    await client.end()
  }
}

/** @returns whether `select 1` does */
export async function answers(address: EmbeddedAddress): Promise<boolean> {
  const client = new pg.Client({ ...clientConfig(address), database: 'postgres' })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('select 1')
    return true
  } catch {
    return false
  } finally {
    await client.end()
  }
}

function clientConfig(address: EmbeddedAddress): pg.ClientConfig {
  const { socketDir, port, user } = address
  // ssl: whatever PGSSLMODE says, there is none on a unix socket.
  return { host: socketDir, port, user, ssl: false, connectionTimeoutMillis: 5000 }
}
