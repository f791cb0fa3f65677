// Writes the report of a blocked event loop for its owner alone, and keeps the last ten of its folder.
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

// Each is some 100 kB: a server that blocks every minute would fill the disk with what nobody reads.
const MOST_REPORTS = 10

/** As stallReportFile() names them: others in the folder are none of ours. */
const NAME = /^worker-\d+-\d+\.json$/

/* eslint-disable n/no-sync -- in a thread that does nothing else */

/** A full disk, or a folder that may not be written to: there is none then, and the worker is killed without a report. */
export function keepReport(file: string, text: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    // What is there under this name may be a link to somewhere else, or be readable by others.
    rmSync(file, { force: true })
    writeFileSync(file, text, { flag: 'wx', mode: 0o600 })
    dropOldest(dirname(file))
  } catch {
    // As said.
  }
}

function dropOldest(directory: string): void {
  const reports = readdirSync(directory)
    .filter(name => NAME.test(name))
    .map(name => join(directory, name))
    // Of two workers that do this at the same time the other may have dropped it.
    .map(path => ({ path, writtenMs: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
  reports.sort((a, b) => b.writtenMs - a.writtenMs)
  for (const { path } of reports.slice(MOST_REPORTS)) rmSync(path, { force: true })
}
