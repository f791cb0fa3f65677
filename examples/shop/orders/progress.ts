// How orders get on: the shopkeeper says so in one worker, and whoever watches, in any of them, is told.
import { channel, event, type Channel, type EventToSend } from 'millrace'
import type { Database, Queryable } from 'millrace/postgres'
import { type OrderProgress, OrderStatus } from './schema.ts'

/** The last that happens to an order. */
export const LAST: OrderStatus = 'shipped'

/** One for each order: who watches one order is not woken by the others. */
function progressOf(id: string): Channel<OrderProgress> {
  return channel(`order ${id}`)
}

interface During {
  readonly signal?: AbortSignal | undefined
}

/** @returns null when there is no such order */
export async function findProgress(db: Queryable, id: string, { signal }: During = {}): Promise<OrderProgress | null> {
  return db.sql<OrderProgress>`select id, status from orders where id = ${id}`.signal(signal).maybe()
}

/** Only onward: who has been told the last is told no more. @returns null when there is no such order, or it has come further already */
export async function setProgress(db: Database, id: string, status: OrderStatus): Promise<OrderProgress | null> {
  const before = OrderStatus.options.slice(0, OrderStatus.options.indexOf(status) + 1)
  const progress = await db.sql<OrderProgress>`
    update orders set status = ${status} where id = ${id} and status = any(${before}) returning id, status`.maybe()
  // Once it is committed: who is told and then looks must find it so.
  if (progress) progressOf(id).publish(progress)
  return progress
}

/** Where the order stands, unless the watcher knows that already, and then each change until the last. */
export async function* watchProgress(
  db: Database,
  { id, status }: OrderProgress,
  known: string | undefined,
  { signal }: During,
): AsyncGenerator<OrderProgress, void, undefined> {
  // Read again once the subscription stands: no change falls between the two.
  const first = async () => (await findProgress(db, id)) ?? { id, status }
  let last = known
  for await (const progress of progressOf(id).subscribe({ ...(signal && { signal }), first })) {
    if (progress.status !== last) yield progress
    last = progress.status
    if (last === LAST) return
  }
}

/** The same as events, of which a browser that comes back says the last that it has seen. */
export async function* progressEvents(
  watched: AsyncIterable<OrderProgress>,
): AsyncGenerator<EventToSend<OrderProgress>, void, undefined> {
  for await (const progress of watched) yield event(progress, { event: 'progress', id: progress.status })
}
