// millrace/postgres: PostgreSQL for handlers (`postgres`), for scripts (`connect`), and a server of one's own (`embeddedPostgres`).
export { connect, type ConnectOptions } from './connect.ts'
export { type CopySource } from './copy-in.ts'
export { type CopyOptions, type CopyOut } from './copy-out.ts'
export { copyCsv, copyText, type CopyRow } from './copy-text.ts'
export { type Cursor, type CursorOptions } from './cursor.ts'
export { type Database, type Queryable, type RetryingTransactionOptions } from './database.ts'
export { type EmbeddedAddress } from './embedded-address.ts'
export { embeddedPostgres, type EmbeddedOptions, type EmbeddedPostgres } from './embedded-service.ts'
export {
  CheckViolation,
  ConstraintError,
  DatabaseUnavailableError,
  ForeignKeyViolation,
  ManyRowsError,
  NoRowError,
  NotNullViolation,
  OutcomeUnknownError,
  PoolFullError,
  PostgresSettingsError,
  QueryError,
  QueryTimeoutError,
  RowShapeError,
  SerializationError,
  UniqueViolation,
} from './errors.ts'
export { migrate, type MigrateOptions, type MigrationOptions, migrationStatus } from './migrate.ts'
export { MigrationError } from './migration-error.ts'
export { type MigrationState, type MigrationStatus } from './migration-history.ts'
export { type StartLog } from './log.ts'
export { type Loader } from './loader.ts'
export { type PostgresOptions } from './options.ts'
export { type PoolState } from './pool.ts'
export { postgres } from './postgres.ts'
export { type Query, type QueryOptions, type SchemaOptions } from './query.ts'
export { json, sql, type Fragment, type SqlValue } from './sql.ts'
export { type ListenOptions, type Notification, type NotificationsLost, type Subscription } from './subscription.ts'
export { NotCommittedError, type Transaction, type TransactionOptions } from './transaction.ts'
