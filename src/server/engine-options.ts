// What the settings mean to the engine.
import type { EngineOptions } from '../http/engine.ts'
import type { Limits } from '../http/limits.ts'
import { TrustedProxies } from '../http/trusted-proxy.ts'
import type { RequestCounter } from './counters.ts'
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

export function trustedProxiesOf({ trustedProxies, forwardedFields }: Settings): TrustedProxies | undefined {
  return trustedProxies.length === 0 ? undefined : new TrustedProxies(trustedProxies, forwardedFields)
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
