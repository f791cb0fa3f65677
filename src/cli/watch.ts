// Tells when code changes below some directories: one call per burst of changes.
import { basename, relative, sep } from 'node:path'
import { watch } from 'chokidar'

// Editors write a file in several steps, and formatters a second time right after.
const SETTLE_MS = 50

/**
 * @param changed  gets the path of the first file of a burst, relative to the working directory
 * @returns the function that ends the watch
 */
export async function watchCode(
  directories: readonly string[],
  changed: (path: string) => void,
): Promise<() => Promise<void>> {
  let timer: NodeJS.Timeout | undefined
  const watcher = watch([...directories], {
    ignoreInitial: true,
    ignored: (path, stats) => isIgnoredFolder(path) || (stats?.isFile() === true && !isCode(path)),
  })
  watcher.on('all', (event, path) => {
    if (event === 'addDir' || event === 'unlinkDir' || timer) return
    timer = setTimeout(() => {
      timer = undefined
      changed(relative('', path))
    }, SETTLE_MS)
  })
  await new Promise<void>((resolve, reject) => watcher.once('ready', resolve).once('error', reject))
  return async () => {
    clearTimeout(timer)
    await watcher.close()
  }
}

// Data that an app writes (JSON, logs, uploads) must not reload it in circles: only what it is made of counts.
function isCode(path: string): boolean {
  return /\.[mc]?[jt]s$/.test(path) || ['.env', 'package.json'].includes(basename(path))
}

function isIgnoredFolder(path: string): boolean {
  return relative('', path)
    .split(sep)
    .some(part => part === 'node_modules' || part === 'dist' || (/^\.[^.]/.test(part) && part !== '.env'))
}
