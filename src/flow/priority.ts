// How much a request matters when there is no room for all of them.

/** Waits in this order, and is pushed out in the opposite one: a checkout is critical, a recommendation sheddable. */
export type Priority = 'critical' | 'normal' | 'sheddable'

export const PRIORITIES: readonly Priority[] = ['critical', 'normal', 'sheddable']
