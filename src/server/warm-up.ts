// Loads what an app is likely to import, and the compiler that strips its types, so that loading the app itself is all that is left to do.
// Nothing of the user's is run, and no package but Zod: one that is loaded before the app could find variables or patches missing that the
// app sets first.
import module, { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** Never throws: what is missing here is found missing by the app, which says where. */
export async function warmUp(directory: string): Promise<void> {
  try {
    await import('millrace')
    const zod = createRequire(join(directory, 'app.js')).resolve('zod')
    await import(pathToFileURL(zod.replace(/\.cjs$/, '.js')).href)
  } catch {
    // No Zod here: another library describes its schemas.
  }
  silently(() => module.stripTypeScriptTypes('let warm: true'))
}

/** Node calls this way to its compiler experimental, and the one that the app takes, by importing a .ts file, not. */
function silently(act: () => void): void {
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    act()
  } finally {
    process.emitWarning = emitWarning
  }
}
