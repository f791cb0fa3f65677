// The commands, by name. Each is loaded when it is run, so that `routes` does not pay for `serve`.
import type { ExitCode } from '../server/exit-codes.ts'

export interface CommandModule {
  run(argv: readonly string[]): Promise<ExitCode>
}

export interface CommandFacts {
  /** After the command's name. */
  readonly operands: string
  readonly summary: string
  load(): Promise<CommandModule>
}

export const COMMANDS = {
  dev: {
    operands: 'APP',
    summary: 'run an app while you write it: one worker, reloads when a file changes',
    load: () => import('./commands/dev.ts'),
  },
  serve: {
    operands: 'APP',
    summary: 'run an app for its users: workers, restarts, reloads without loss',
    load: () => import('./commands/serve.ts'),
  },
  ctl: {
    operands: 'COMMAND',
    summary: 'ask a running server how it is, or to reload, scale, drain, stop',
    load: () => import('./commands/ctl.ts'),
  },
  routes: {
    operands: 'APP',
    summary: 'list the routes of an app',
    load: () => import('./commands/routes.ts'),
  },
  openapi: {
    operands: 'APP',
    summary: 'print the OpenAPI document of an app',
    load: () => import('./commands/openapi.ts'),
  },
  doctor: {
    operands: '[APP]',
    summary: 'check what a server would meet here: limits, the database, its connections and indexes',
    load: () => import('./commands/doctor.ts'),
  },
  migrate: {
    operands: 'ACTION',
    summary: 'bring a PostgreSQL database to the form that a folder of SQL files describes',
    load: () => import('./commands/migrate.ts'),
  },
  config: {
    operands: 'APP',
    summary: 'print the settings that serve would have, and where each comes from',
    load: () => import('./commands/config.ts'),
  },
  settings: {
    operands: '[--markdown]',
    summary: 'list all settings, rare ones included',
    load: () => import('./commands/settings.ts'),
  },
} as const satisfies Readonly<Record<string, CommandFacts>>

export type CommandName = keyof typeof COMMANDS

export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(COMMANDS, name)
}
