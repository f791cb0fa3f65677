// What an operator has the caches of all workers forget: the supervisor asks one worker, and that invalidates as the app would, in every tier.
import { invalidations } from '../cache/invalidation.ts'
import type { Host } from '../core/host.ts'

/** The supervisor says on it which tags. */
export const PURGES = 'cache:purge'

export function answerPurges(host: Host): void {
  host.respond(PURGES, tags => invalidations.invalidate(tags as readonly string[]))
}
