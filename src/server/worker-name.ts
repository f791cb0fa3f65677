// How a worker is called in what the server says.

export interface Named {
  /** 1 and up. */
  readonly number: number
  /** 0 for one that could not be started. */
  readonly pid: number
}

/** "worker 2 (pid 4711)" */
export function nameOf({ number, pid }: Named): string {
  return pid === 0 ? `worker ${number}` : `worker ${number} (pid ${pid})`
}
