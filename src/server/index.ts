// millrace/server: an app served from code, without the command line.
export { serve, type Server, type ServeOptions } from './serve.ts'
export type { Hooks } from './hooks.ts'
export { SettingsError, StartError } from './errors.ts'
export type { Settings } from './settings.ts'
