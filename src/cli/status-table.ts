// The status of a server for a person: who it is, then a row for each worker, within 80 columns.
import type { ServerStatus, WorkerStatus } from '../server/status.ts'

export function statusTable(status: ServerStatus): string {
  const { title, url, pid, upForMs, total, workers, wantedWorkers, restarts, reloads } = status
  const ready = workers.filter(worker => worker.state === 'ready').length
  const requests = total.requests.reduce((sum, count) => sum + count, 0)
  const refused = Object.values(total.refused).reduce((sum, count) => sum + count, 0)
  const facts = [
    `${short(requests)} requests`,
    `${short(total.requests[5] ?? 0)} 5xx`,
    `${short(total.requests[0] ?? 0)} cut`,
    `${short(refused)} connections refused`,
  ]
  const how = status.isStopping ? 'stopping' : status.hasStarted ? `up ${lasted(upForMs)}` : 'starting'
  return [
    `${clipped(title, 30)}  ${url}  pid ${pid}  ${how}`,
    `${ready} of ${wantedWorkers} workers ready, ${restarts} ${restarts === 1 ? 'restart' : 'restarts'}, ${reloads} ${reloads === 1 ? 'reload' : 'reloads'}`,
    facts.join(', '),
    '',
    ...rows(workers),
    '',
  ].join('\n')
}

const HEADS = ['WORKER', 'PID', 'STATE', 'UP', 'REQUESTS', 'CONN', 'BUSY', 'LOOP', 'HEAP', 'RSS'] as const
// Ten columns with two spaces between come to 80 when each is at its widest: 6+7+8+6+8+5+5+6+5+5 and 18.
const isText = (column: number): boolean => column === 2

function rows(workers: readonly WorkerStatus[]): string[] {
  const table: readonly (readonly string[])[] = [
    HEADS,
    ...workers.map(({ number, pid, state, readyForMs, counters }) => [
      String(number),
      String(pid),
      state,
      state === 'ready' || state === 'draining' ? lasted(readyForMs) : '-',
      short(counters.requests.reduce((sum, count) => sum + count, 0)),
      short(counters.connections),
      short(counters.inflight),
      counters.loopDelayMs < 10_000
        ? `${counters.loopDelayMs}ms`
        : `${short(Math.round(counters.loopDelayMs / 1000))}s`,
      megabytes(counters.heapBytes),
      megabytes(counters.rssBytes),
    ]),
  ]
  const widths = HEADS.map((_, column) => Math.max(...table.map(row => row[column]!.length)))
  return table.map(row =>
    row
      .map((cell, column) => (isText(column) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  )
}

/** 999, 12.3k, 4.5M: at most five characters. */
export function short(count: number): string {
  if (count < 10_000) return String(count)
  for (const [unit, letter] of UNITS)
    if (count < unit * 1000 || letter === 'T') return `${scaled(count / unit)}${letter}`
  return String(count)
}

const UNITS = [
  [1e3, 'k'],
  [1e6, 'M'],
  [1e9, 'G'],
  [1e12, 'T'],
] as const

function scaled(value: number): string {
  return value < 99.95 ? value.toFixed(1) : String(Math.round(value))
}

/** 45s, 12m, 3h12m, 9d4h: at most six characters. */
export function lasted(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  if (seconds < 60) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}m`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return `${hours}h${minutes % 60}m`
  const days = Math.floor(hours / 24)
  return days < 100 ? `${days}d${hours % 24}h` : `${days}d`
}

function megabytes(bytes: number): string {
  const mebibytes = Math.round(bytes / 2 ** 20)
  return mebibytes < 10_000 ? `${mebibytes}M` : `${(mebibytes / 1024).toFixed(1)}G`
}

function clipped(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 3)}...`
}
