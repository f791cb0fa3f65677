// Memory of a server that holds no garbage: every process of it collects when told to, and is then given time to give pages back.
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import type { Command, Running } from './contender.ts'
import { usageOfTree } from './process-tree.ts'

const COLLECTOR = pathToFileURL(join(import.meta.dirname, '../servers/collect-garbage.ts')).href
const FILE = join(import.meta.dirname, '../../.millrace/bench/collect')

/** The command of a Node server, made to collect on `settledRssKiB`. */
export function collecting(command: Command): Command {
  mkdirSync(join(FILE, '..'), { recursive: true })
  writeFileSync(FILE, '')
  return { ...command, env: { ...command.env, COLLECT_WHEN: FILE, NODE_OPTIONS: `--import=${COLLECTOR}` } }
}

/** Resident memory of all its processes after two collections: what the first one's finalizers let go of goes with the second. */
export async function settledRssKiB(server: Running): Promise<number> {
  for (let n = 1; n <= 2; n++) {
    const now = Date.now() / 1000 + n
    utimesSync(FILE, now, now)
    await delay(700)
  }
  return usageOfTree(server.pid).rssKiB
}
