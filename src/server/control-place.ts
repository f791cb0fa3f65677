// Where control sockets are: below a folder that only its owner can enter, one file for each server, named after its process.
//
// $XDG_RUNTIME_DIR where the system gives one (it is private, and emptied at the end of the session), a folder in the temporary directory
// elsewhere. A service and a shell of the same user may differ in that, so who looks for servers looks in both.
import { mkdir, lstat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { ControlError } from './control-protocol.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** In the order in which a server tries them. */
export function controlFolders(environment: Environment = process.env): readonly string[] {
  const { XDG_RUNTIME_DIR: runtime } = environment
  const own = join(tmpdir(), `millrace-${process.getuid?.() ?? 0}`)
  return runtime !== undefined && isAbsolute(runtime) ? [join(runtime, 'millrace'), own] : [own]
}

/**
 * Makes the first of the folders that can be made.
 *
 * @throws ControlError `CONTROL_FOLDER` when none is fit: whoever could write there could put a socket of their own in our place
 */
export async function prepareControlFolder(folders = controlFolders()): Promise<string> {
  const wrong: string[] = []
  for (const folder of folders) {
    try {
      await mkdir(folder, { mode: 0o700 })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
        wrong.push(`${folder} cannot be made (${(error as NodeJS.ErrnoException).code})`)
        continue
      }
    }
    if (await isPrivate(folder)) return folder
    wrong.push(`${folder} is not a folder that is yours alone (mode 700)`)
  }
  throw new ControlError('CONTROL_FOLDER', `${wrong.join(', and ')}; --control-socket names another place, or off`)
}

/** A folder, not a link to one, of this user and of nobody else. */
export async function isPrivate(folder: string): Promise<boolean> {
  const found = await lstat(folder).catch(() => undefined)
  return found !== undefined && found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o077) === 0
}
