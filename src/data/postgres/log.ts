// Where a database's warnings go.

/** While the database is away, and of slow statements; pino's shape. */
export interface StartLog {
  warn(...of: unknown[]): void
}
