// The environment of the app: what the process was given, and below it the variables of .env in the working directory.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseEnv } from 'node:util'

export type Environment = Readonly<Record<string, string | undefined>>

/** Read again at every reload, so that an edited .env counts. A variable that the process was given wins over the file. */
export async function readEnvironment(directory: string, given: Environment = process.env): Promise<Environment> {
  let file: string
  try {
    file = await readFile(join(directory, '.env'), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return given
    throw error
  }
  return { ...parseEnv(file), ...given }
}
