// Apps mounted in an app: described, started, drained and stopped with the one around them.
import { UsageError } from '../core/error.ts'
import { mountOf } from './mount.ts'
import type { RouteFacts, Servable, StartedApp, StartOptions } from './servable.ts'
import type { RoutedRoute } from './ways.ts'
import type { MountedRoute } from './route.ts'

/** '/old' for a mount there; '' at the root. */
export function mountPrefix({ path }: MountedRoute): string {
  return path.slice(0, path.lastIndexOf('/'))
}

/** The routes of mounted apps, as the app around them lists them. @throws UsageError `APP_INCLUDE_CYCLE`, and what a mounted app throws */
export function mountedFacts(route: MountedRoute, within: readonly Servable[]): readonly RouteFacts[] | undefined {
  const mount = mountOf(route.endpoint)
  if (!mount) return undefined
  // The prefix itself comes with what is below it.
  if (mount !== route.endpoint) return []
  const place = (route.host === undefined ? '' : `//${route.host}`) + mountPrefix(route)
  if (!mount.app) return [{ method: '*', path: `${place}/*` }]
  refuseCycle(mount.app, within)
  const { routes } = mount.app.manifest(within)
  return routes.map(each => ({ ...each, path: place + each.path }))
}

/**
 * Starts each of them once, however often it is mounted, and gives their routes what answers.
 *
 * @param outside  the prefix of the app around them
 * @throws what a start throws; those before it have been stopped then
 */
export async function startMounted(
  routes: readonly RoutedRoute[],
  of: StartOptions,
  outside: string,
): Promise<readonly StartedApp[]> {
  const started = new Map<Servable, StartedApp>()
  try {
    for (const { mounted, route } of routes) {
      const app = mountOf(mounted.endpoint)?.app
      if (!app) continue
      refuseCycle(app, of.within ?? [])
      let inner = started.get(app)
      if (!inner) {
        inner = await app.start({ ...of, mountedAt: outside + mountPrefix(mounted) })
        started.set(app, inner)
      }
      route.serveBy(inner.handler)
    }
  } catch (error) {
    await stopMounted([...started.values()], 0)
    throw error
  }
  return [...started.values()]
}

export async function stopMounted(started: readonly StartedApp[], graceMs: number): Promise<void> {
  const untilMs = performance.now() + graceMs
  for (const app of started.toReversed()) await app.stop(Math.max(0, untilMs - performance.now()))
}

function refuseCycle(app: Servable, within: readonly Servable[]): void {
  if (within.includes(app))
    throw new UsageError('APP_INCLUDE_CYCLE', 'an app cannot be mounted in itself, directly or through others')
}
