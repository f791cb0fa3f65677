// How far a replica is behind, by the places in the write-ahead log that the primary had reached at known times: a replica that has replayed the
// place of a time shows all that was committed until then. Needs no rights, and no clocks that agree.
//
// While the primary is away its clock stands still: nobody writes, and replicas may serve what there is.
import type { Connection } from './connection.ts'

/** In bytes since the log began. */
type Place = bigint

interface Mark {
  readonly atMs: number
  readonly place: Place
}

export class ReplicaLag {
  readonly maxMs: number
  /** Newest last; none older than matters. */
  #marks: Mark[] = []

  constructor(maxMs: number) {
    this.maxMs = maxMs
  }

  /** Asks the primary. */
  async mark(primary: Connection, signal: AbortSignal): Promise<void> {
    // Before it is asked: what is committed meanwhile does not count as seen.
    const atMs = performance.now()
    const place = await ask(primary, 'pg_current_wal_lsn()', signal)
    this.#marks = [...this.#marks.filter(mark => atMs - mark.atMs <= this.maxMs), { atMs, place }]
  }

  /** Asks a replica. @returns Infinity where it is more than what is known */
  async of(replica: Connection, signal: AbortSignal): Promise<number> {
    // One that was promoted follows nobody, and is up to date with itself.
    const replayed = 'case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end'
    const place = await ask(replica, replayed, signal)
    const seen = this.#marks.findLast(mark => mark.place <= place)
    return seen === undefined ? Infinity : this.#marks.at(-1)!.atMs - seen.atMs
  }
}

async function ask(connection: Connection, place: string, signal: AbortSignal): Promise<Place> {
  const text = `select coalesce(${place} - '0/0', 0)::text as place`
  const { rows } = await connection.run({ text, values: [] }, '', signal)
  return BigInt(rows[0]!['place'] as string)
}
