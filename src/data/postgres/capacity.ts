// What a PostgreSQL server has to give to the role that is connected: connections, less those that it keeps for others.
import type { ServerCapacity } from '../pool-plan.ts'
import type { Connection } from './connection.ts'
import type { Database } from './database.ts'
import { QueryError } from './errors.ts'

export interface ServerFacts extends ServerCapacity {
  /** Host, port and database. */
  readonly where: string
  /** `17.4`. */
  readonly version: string
  /** Whether a pooler such as PgBouncer stands before the server: then it is the pooler's limits that count. */
  readonly isPooled: boolean
}

/** @returns undefined where the server does not know such settings: it speaks PostgreSQL's protocol and is another */
export async function readCapacity(database: Database): Promise<ServerFacts | undefined> {
  try {
    return await database.borrow(readFacts)
  } catch (error) {
    if (error instanceof QueryError) return undefined
    throw error
  }
}

// reserved_connections: since 16. A limit of -1 is none; superusers are not held to that of their role, and here they are.
const FACTS = `
  select current_setting('max_connections')::int as "maxConnections",
    current_setting('superuser_reserved_connections')::int as "superuserReserved",
    coalesce(current_setting('reserved_connections', true), '0')::int as reserved,
    (select nullif(rolconnlimit, -1) from pg_roles where rolname = current_user) as "roleLimit",
    (select nullif(datconnlimit, -1) from pg_database where datname = current_database()) as "databaseLimit",
    current_setting('server_version') as version,
    pg_backend_pid() as pid`

interface FactsRow extends Omit<ServerCapacity, 'roleLimit' | 'databaseLimit'> {
  readonly roleLimit: number | null
  readonly databaseLimit: number | null
  readonly version: string
  readonly pid: number
}

async function readFacts(connection: Connection): Promise<ServerFacts> {
  const { rows } = await connection.run({ text: FACTS, values: [] }, '')
  const { pid, roleLimit, databaseLimit, version, ...facts } = rows[0] as unknown as FactsRow
  return {
    ...facts,
    where: connection.where,
    roleLimit: roleLimit ?? undefined,
    databaseLimit: databaseLimit ?? undefined,
    version: version.split(' ')[0]!,
    // A pooler tells clients process numbers of its own.
    isPooled: pid !== connection.processId,
  }
}
