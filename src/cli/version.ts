// The version of this package, from its package.json.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

export async function packageVersion(): Promise<string> {
  // src/cli and dist/cli are equally deep.
  const text = await readFile(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
