// The environment of the app: what the process was given, and below it the variables of .env in the working directory.
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { StartError } from './errors.ts'
import { EXIT } from './exit-codes.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/**
 * Read again at every reload, so that an edited .env counts. A variable that the process was given wins over the file.
 *
 * @param dotenv  instead of .env, and then it must be there
 * @throws StartError `LOAD_NO_DOTENV`, exit code 2
 */
export async function readEnvironment(
  directory: string,
  dotenv = '',
  given: Environment = process.env,
): Promise<Environment> {
  let file: string
  try {
    file = await readFile(resolve(directory, dotenv || '.env'), 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (dotenv !== '') throw new StartError('LOAD_NO_DOTENV', EXIT.usage, `${dotenv} cannot be read: ${message}`)
    if (code === 'ENOENT') return given
    throw error
  }
  return { ...parseEnv(file), ...given }
}
