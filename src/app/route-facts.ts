// One route in words, for lists of them.
import type { MountedRoute } from './route.ts'
import type { RouteFacts } from './servable.ts'

export function routeFacts({ endpoint, path, host, version, groups }: MountedRoute): RouteFacts {
  const { spec } = endpoint
  const notes = [
    ...(spec.limit ? [`limit ${spec.limit.concurrent}${spec.limit.queue ? `+${spec.limit.queue}` : ''}`] : []),
    ...(spec.timeout === undefined ? [] : [`timeout ${duration(spec.timeout)}`]),
    ...(spec.cache ? [`cache ${duration(spec.cache.ttl)}`] : []),
    ...(spec.priority === undefined || spec.priority === 'normal' ? [] : [spec.priority]),
    ...(spec.deprecated || groups.some(group => group.deprecated) ? ['deprecated'] : []),
    ...(spec.hidden || groups.some(group => group.hidden) ? ['hidden'] : []),
  ]
  return {
    method: endpoint.verb,
    path: host === undefined ? path : `//${host}${path}`,
    ...(spec.operationId === undefined ? {} : { id: spec.operationId }),
    ...(version === undefined ? {} : { version }),
    ...(notes.length === 0 ? {} : { notes }),
  }
}

/** As it was written; bare numbers are milliseconds. */
function duration(of: string | number): string {
  return typeof of === 'number' ? `${of}ms` : of
}
