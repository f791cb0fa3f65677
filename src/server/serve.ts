// Serves an app from this process alone: the same listener, engine and drain as a worker, without a supervisor.
import type { Servable } from '../app/servable.ts'
import { host, LocalHost } from '../core/host.ts'
import { Engine } from '../http/engine.ts'
import { createLogger } from '../observe/logger.ts'
import { usesTls } from './certificate.ts'
import { RequestCounter } from './counters.ts'
import { drain } from './drain.ts'
import { openDoorway } from './doorway.ts'
import { engineOptions } from './engine-options.ts'
import { SettingsError } from './errors.ts'
import { listenAddress, listenOnAddress, urlOf } from './listener.ts'
import { settingsFromCode } from './settings-sources.ts'
import type { Settings } from './settings.ts'

/** Nobody watches over one process alone, and its settings are what is passed. */
const SUPERVISED = [
  'config',
  'dotenv',
  'workers',
  'maxWorkers',
  'rebalance',
  'admin',
  'reloadDir',
  'startTimeout',
  'workerTimeout',
  'reportDir',
  'maxRequests',
  'maxRequestsJitter',
  'maxWorkerAge',
  'maxWorkerMemory',
  'controlSocket',
  'controlSocketMode',
  'pidfile',
  'hooks',
] as const satisfies readonly (keyof Settings)[]

/** Settings by their names in docs/reference/settings.md: durations as '5s' or milliseconds, sizes as '1MiB' or bytes. */
export type ServeOptions = {
  readonly [Name in Exclude<keyof Settings, (typeof SUPERVISED)[number]>]?: Settings[Name] | string
} & {
  /** TERM and INT drain and then end the process. Default true. */
  readonly signals?: boolean
}

export interface Server {
  /** `http://127.0.0.1:8000`, `https://...` with TLS; `unix:/path` on a unix socket. */
  readonly url: string
  /** The one that was picked when 0 was asked for; 0 on a unix socket. */
  readonly port: number
  /** Stops accepting, finishes requests within `graceTimeout`, stops the app. Safe to call again. */
  close(): Promise<void>
}

/**
 * @throws SettingsError for a bad option and one that is for several workers, StartError `LISTEN_*` for an address that cannot be bound and `TLS_*` for a certificate, and what the app's start throws
 */
export async function serve(app: Servable, options: ServeOptions = {}): Promise<Server> {
  const { signals = true, ...rest } = options
  refuseSupervised(rest)
  const settings = settingsFromCode(rest, app.manifest().server)
  const log = createLogger({ level: settings.logLevel, format: 'lines' })
  const local = host()
  if (local instanceof LocalHost) {
    local.extent = { ...local.extent, hosts: settings.replicas }
    local.slowQueryMs = settings.slowQuery ?? Infinity
  }
  const started = await app.start({
    requestTimeoutMs: settings.requestTimeout,
    maxBodyBytes: settings.maxBody,
    ...(settings.rootPath === '' ? {} : { rootPath: settings.rootPath }),
    log,
  })
  const counter = new RequestCounter()
  const engine = new Engine(started.handler, engineOptions(settings, counter, log))
  const { server, address, doorway } = await openDoorway(settings, engine, counter, log)
    .then(async doorway => ({
      ...(await listenOnAddress(listenAddress(settings), settings.backlog, doorway)),
      doorway,
    }))
    .catch(async (error: unknown) => {
      await started.stop(settings.graceTimeout)
      throw error
    })

  const serving = {
    server,
    doorway,
    engine,
    app: started,
    log,
    host: local instanceof LocalHost ? local : { drain: async () => [] },
  }
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    if (signals) for (const signal of SIGNALS) process.off(signal, onSignal)
    closing ??= drain(serving, 'orderly', 0, settings.graceTimeout)
    return closing
  }
  // Once: a second signal finds no handler and ends the process as it does by default.
  const onSignal = (): void => {
    for (const signal of SIGNALS) process.off(signal, onSignal)
    closing ??= drain(serving, 'orderly', settings.drainDelay, settings.graceTimeout)
    void closing.then(() => process.exit(0))
  }
  if (signals) for (const signal of SIGNALS) process.on(signal, onSignal)
  return { url: urlOf(address, usesTls(settings)), port: address.kind === 'tcp' ? address.port : 0, close }
}

const SIGNALS = ['SIGTERM', 'SIGINT'] as const

/** One that does nothing here is a mistake. */
function refuseSupervised(options: Readonly<Record<string, unknown>>): void {
  const name = SUPERVISED.find(name => options[name] !== undefined)
  if (name !== undefined)
    throw new SettingsError(
      'SETTINGS_UNKNOWN',
      `serve(app, options) holds ${name}, which does nothing in one process alone; it is for millrace serve`,
    )
}
