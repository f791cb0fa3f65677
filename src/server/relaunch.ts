// The command line that started this process, so that it can be run again: with the Millrace, the app and the settings that are there then.
import { statSync } from 'node:fs'
import { join } from 'node:path'

export interface Relaunch {
  readonly file: string
  readonly args: readonly string[]
  readonly directory: string
}

/**
 * Call it once, at the start: later somebody may have swung round the links that it looks at.
 *
 * Deployments put each release into a folder of its own and a link to the newest; the kernel tells the folder, the shell's PWD the link. As
 * gunicorn does, the link is taken, so that "the same command line" is the newest release.
 */
export function relaunchOf(
  argv: readonly string[] = process.argv,
  execArgv: readonly string[] = process.execArgv,
  real = process.cwd(),
  named = process.env['PWD'],
): Relaunch {
  const directory = named !== undefined && isSame(named, real) ? named : real
  // Node has made the script's path absolute by the kernel's word for the directory.
  const [file = process.execPath, script, ...rest] = argv
  const scriptNow = script?.startsWith(`${real}/`) ? join(directory, script.slice(real.length + 1)) : script
  return { file, args: [...execArgv, ...(scriptNow === undefined ? [] : [scriptNow]), ...rest], directory }
}

function isSame(one: string, other: string): boolean {
  try {
    // eslint-disable-next-line n/no-sync
    const [a, b] = [statSync(one), statSync(other)]
    return a.ino === b.ino && a.dev === b.dev
  } catch {
    return false
  }
}
