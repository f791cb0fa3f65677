// millrace/mongo: MongoDB for handlers (`mongo`) and for scripts (`connect`), with collections that have a schema.
export { type Change, type Changes, type WatchOptions } from './changes.ts'
export {
  type AggregateOptions,
  type Collection,
  type FindOptions,
  type IndexOptions,
  type Stored,
  type Unstored,
  type Updated,
  type UpdateOptions,
} from './collection.ts'
export { connect, type MongoConnectOptions } from './connect.ts'
export { type Collections, type MongoDatabase, type MongoTransactionOptions } from './database.ts'
export {
  DocumentError,
  DuplicateKeyError,
  MongoBusyError,
  MongoCommandError,
  MongoConflictError,
  MongoSettingsError,
  MongoTimeoutError,
  MongoUnavailableError,
  UnsafeValueError,
} from './errors.ts'
export { all, any, type Filter, is, none, trusted, where } from './filter.ts'
export { mongo } from './mongo.ts'
export { type MongoStats } from './mongo-metrics.ts'
export { type OperationOptions } from './operations.ts'
export { type MongoOptions } from './options.ts'
export { type Update } from './update.ts'
