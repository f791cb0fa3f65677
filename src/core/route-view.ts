// A worker's value that wants to know which route uses it gives each route a view of itself: made once, before the first request, so that
// no request pays for it.

export const ROUTE_VIEW = Symbol('view for a route')

export interface Viewable {
  /** @param route  its pattern, as metrics and logs name it */
  [ROUTE_VIEW](route: string): object
}

/** @returns the value's view for the route; values that give none are the same for all */
export function viewFor(route: string, value: unknown): unknown {
  const isViewable = typeof value === 'object' && value !== null && ROUTE_VIEW in value
  return isViewable ? (value as Viewable)[ROUTE_VIEW](route) : value
}
