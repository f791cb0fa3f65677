// What the supervisor can say of a worker that has fallen silent: the code that holds its event loop, from the report that the worker's
// own thread wrote, or what the system knows of the process.
import { readFileSync, statSync } from 'node:fs'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isApplicationFrame } from '../observe/stack.ts'

// Enough to find the place and who called it; the rest is in the report.
const FRAMES_TOLD = 3

// A report is written when the worker has been silent for its limit: it is younger than the silence. One that is older is of an earlier one,
// or of another process with this pid. Two seconds, because silence is counted in whole ones.
const SLACK_S = 2

/** @returns "its event loop is held by spin (app.ts:12) < handler (app.ts:20) in GET /spin; report: /tmp/...", or what is known instead */
export function whatHolds(pid: number, reportFile: string, silentS: number): string {
  const held = heldUntilReport(reportFile, silentS)
  if (held !== undefined) return `its event loop is ${held}`
  return isStopped(pid) ? 'it is stopped by a signal' : 'its event loop is blocked in a call of the system'
}

/** @returns "held by spin (app.ts:12) in GET /spin; report: /tmp/..."; undefined where this silence has no report */
export function heldUntilReport(reportFile: string, silentS: number): string | undefined {
  const stall = readStall(reportFile, (silentS + SLACK_S) * 1000)
  if (stall === undefined) return undefined
  const where = stall.route === undefined ? '' : ` in ${stall.route}`
  return `held by ${heldBy(stall.frames)}${where}; report: ${reportFile}`
}

/** @param frames  lines of a stack, "    at spin (file:///srv/app.ts:12:3)" */
export function heldBy(frames: readonly string[]): string {
  const theirs = frames.filter(isApplicationFrame)
  return (theirs.length > 0 ? theirs : frames).slice(0, FRAMES_TOLD).map(placeOf).join(' < ')
}

interface StallReport {
  readonly javascriptStack?: { readonly stack?: readonly string[] }
  /** Added by loop-watch-thread.ts. */
  readonly millrace?: { readonly route?: string }
}

function readStall(
  reportFile: string,
  withinMs: number,
): { frames: readonly string[]; route: string | undefined } | undefined {
  try {
    // eslint-disable-next-line n/no-sync -- in the supervisor, which serves nothing, when a worker is lost
    if (Date.now() - statSync(reportFile).mtimeMs > withinMs) return undefined
    // eslint-disable-next-line n/no-sync -- the same
    const report = JSON.parse(readFileSync(reportFile, 'utf8')) as StallReport
    // The first are those of the report itself, which was evaluated where the code was stopped.
    const frames = report.javascriptStack?.stack?.filter(line => !/^\s*at eval \(eval at /.test(line)) ?? []
    return frames.length > 0 ? { frames, route: report.millrace?.route } : undefined
  } catch {
    return undefined
  }
}

function placeOf(frame: string): string {
  const match = /^\s*at (?:(?:async )?(.+?) \()?((?:file:\/\/)?[^()]+?):(\d+):\d+\)?$/.exec(frame)
  if (!match) return frame.trim().replace(/^at /, '')
  const [, name = 'anonymous', place = '', line] = match
  return `${name} (${place.startsWith('file://') ? relative(process.cwd(), fileURLToPath(place)) : place}:${line})`
}

/** By SIGSTOP or a debugger; Linux alone tells. */
function isStopped(pid: number): boolean {
  try {
    // eslint-disable-next-line n/no-sync -- a file of the kernel, in the supervisor
    return /^State:\s+[Tt]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
