// What the settings mean to the engine, and to the way there.
import type { EngineOptions } from '../http/engine.ts'
import type { Limits } from '../http/limits.ts'
import { TrustedProxies } from '../http/trusted-proxy.ts'
import type { RequestCounter } from './counters.ts'
import { defaultMaxConnections } from './descriptor-limit.ts'
import type { EntranceOptions } from './entrance.ts'
import type { Logger } from '../observe/logger.ts'
import { SETTING_NAMES, SETTINGS, type Settings } from './settings.ts'

export function engineOptions(settings: Settings, counter: RequestCounter, log: Logger): EngineOptions {
  return {
    limits: limitsOf(settings),
    trustedProxies: trustedProxiesOf(settings),
    onFinished: record => counter.count(record.status),
    onRefused: error => counter.count(error.status ?? 400),
    onError: (error, record) =>
      log.error({ err: error }, record ? `${record.method} ${record.route || 'request'} failed` : 'connection failed'),
  }
}

/** @param isPlain  the connections speak HTTP, and not TLS first */
export function entranceOptions(settings: Settings, counter: RequestCounter, isPlain: boolean): EntranceOptions {
  const { maxConnections, maxConnectionsPerAddress } = settings
  return {
    maxConnections: maxConnections === 'auto' ? defaultMaxConnections() : maxConnections,
    maxConnectionsPerAddress: maxConnectionsPerAddress ?? Infinity,
    trustedProxies: trustedProxiesOf(settings),
    proxyProtocol: settings.proxyProtocol,
    headerTimeoutMs: settings.headTimeout,
    lingerMs: settings.lingerTime,
    isPlain,
    refused: reason => counter.refused[reason]++,
  }
}

/** A TCP socket that was reset has no address any more, as a unix socket has none: where no unix socket is listened on, nobody has none. */
function trustedProxiesOf({ trustedProxies, forwardedFields, uds }: Settings): TrustedProxies | undefined {
  const possible = trustedProxies.filter(name => name !== 'unix' || uds !== '')
  return possible.length === 0 ? undefined : new TrustedProxies(possible, forwardedFields)
}

/** Each row of the table that names a limit sets it. */
function limitsOf(settings: Settings): Partial<Limits> {
  const limits: Partial<Record<keyof Limits, number>> = {}
  for (const name of SETTING_NAMES) {
    const { limit } = SETTINGS[name]
    if (limit !== undefined) limits[limit] = settings[name] as number
  }
  return limits
}
