// Finds out whether an import is a path alias of a tsconfig.json: only to name it in a message, never to resolve it.
import { access, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

export interface Alias {
  /** As in "paths": "@/*". */
  readonly pattern: string
  readonly tsconfig: string
  /** The file it leads to, when there is one. */
  readonly target: string | undefined
}

/** Looks upwards from `directory`; the nearest tsconfig.json that has "paths" decides. */
export async function aliasOf(specifier: string, directory: string): Promise<Alias | undefined> {
  for (let at = directory; ; at = dirname(at)) {
    const tsconfig = join(at, 'tsconfig.json')
    const paths = pathsIn(await readFile(tsconfig, 'utf8').catch(() => ''))
    if (paths) return match(specifier, paths, tsconfig)
    if (dirname(at) === at) return undefined
  }
}

type Paths = readonly (readonly [pattern: string, target: string])[]

async function match(specifier: string, paths: Paths, tsconfig: string): Promise<Alias | undefined> {
  for (const [pattern, target] of paths) {
    const [before, after] = pattern.split('*') as [string, string?]
    const matches =
      after === undefined ? specifier === before : specifier.startsWith(before) && specifier.endsWith(after)
    if (!matches) continue
    const rest = after === undefined ? '' : specifier.slice(before.length, specifier.length - after.length)
    const path = join(
      dirname(tsconfig),
      target.replace('*', () => rest),
    )
    const candidates = [path, `${path}.ts`, `${path}.js`, join(path, 'index.ts')]
    return { pattern, tsconfig, target: await firstModule(candidates) }
  }
  return undefined
}

async function firstModule(files: readonly string[]): Promise<string | undefined> {
  for (const file of files) {
    const isThere = await access(file).then(
      () => true,
      () => false,
    )
    if (isThere && /\.[mc]?[jt]s$/.test(file)) return file
  }
  return undefined
}

/**
 * "paths" of a tsconfig.json. The file may hold comments and trailing commas, so this reads the one object by its shape rather than
 * the whole as JSON.
 */
function pathsIn(tsconfig: string): Paths | undefined {
  const block = /"paths"\s*:\s*\{([^}]*)\}/.exec(tsconfig)
  if (!block) return undefined
  return [...block[1]!.matchAll(/"([^"]+)"\s*:\s*\[\s*"([^"]+)"/g)].map(found => [found[1]!, found[2]!] as const)
}
