// A secret from the environment, or one that is made once and kept in a file which only its owner can read.
import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * The same for all workers and all starts: whoever comes first makes it. Several machines need the variable.
 *
 * @param file  relative to the working directory
 */
export async function keptSecret(of: { readonly variable: string; readonly file: string }): Promise<string> {
  const given = process.env[of.variable]
  if (given) return given
  return (await readSecret(of.file)) ?? makeSecret(of.file)
}

async function readSecret(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function makeSecret(file: string): Promise<string> {
  await mkdir(dirname(file), { recursive: true })
  const draft = `${file}.${process.pid}`
  await writeFile(draft, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 })
  try {
    // Unlike a rename, a link fails where there is a file already: then another process was quicker, and its secret counts.
    await link(draft, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await rm(draft, { force: true })
  }
  return (await readSecret(file))!
}
