// Imports the module that holds the app. Every way this can go wrong ends in one message that a stranger can act on.
import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isServable, type Servable, type StartedApp, type StartOptions } from '../app/servable.ts'
import { StartError } from './errors.ts'
import { EXIT } from './exit-codes.ts'
import { explainImportError, explainStartError } from './import-errors.ts'
import { didYouMean } from '../core/nearest-name.ts'

/** @throws StartError `LOAD_*`, exit code 3; the message names the file, what is wrong and the way out */
export async function loadApp(path: string, directory: string = process.cwd()): Promise<Servable> {
  const file = resolve(directory, path)
  await mustBeModule(path, file)
  const module = await importUserModule(file, directory)
  const app = module['default']
  if (isServable(app)) return app
  throw new StartError('LOAD_NO_APP', EXIT.app, missingApp(path, module))
}

/**
 * Loads the app and starts it: lifespan and worker-scoped dependencies run.
 *
 * @throws StartError what loadApp throws, or `APP_NOT_STARTED`
 */
export async function startApp(path: string, options: StartOptions): Promise<StartedApp> {
  const app = await loadApp(path)
  try {
    return await app.start(options)
  } catch (error) {
    throw explainStartError(error, process.cwd())
  }
}

/**
 * Imports a module of the user's.
 *
 * @throws StartError `LOAD_SYNTAX`, `LOAD_IMPORT` or `LOAD_THREW`
 */
export async function importUserModule(file: string, directory: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>
  } catch (error) {
    throw await explainImportError(error, file, directory)
  }
}

const MODULE = /\.[mc]?[jt]s$/

async function mustBeModule(path: string, file: string): Promise<void> {
  const found = await stat(file).catch(() => undefined)
  if (found?.isDirectory()) {
    const names = await readdir(file)
    const likely = ['app.ts', 'main.ts', 'index.ts', 'app.js', 'main.js', 'index.js'].find(name => names.includes(name))
    const example = join(path, likely ?? 'app.ts')
    throw new StartError(
      'LOAD_IS_DIRECTORY',
      EXIT.app,
      `${path} is a directory; name the module that exports the app, such as ${example}`,
    )
  }
  if (!found) {
    const names = await readdir(dirname(file)).catch(() => undefined)
    if (!names) throw new StartError('LOAD_NO_FILE', EXIT.app, `there is no ${path}: its directory does not exist`)
    const near = didYouMean(
      basename(file),
      names.filter(name => MODULE.test(name)),
    )
    const here = relative('', dirname(file)) || 'the working directory'
    throw new StartError('LOAD_NO_FILE', EXIT.app, `there is no ${basename(file)} in ${here}${near}`)
  }
  if (!MODULE.test(file))
    throw new StartError(
      'LOAD_NO_MODULE',
      EXIT.app,
      `${path} is not a module that can be run; expected a .ts, .mts, .js or .mjs file that exports the app`,
    )
}

function missingApp(path: string, module: Readonly<Record<string, unknown>>): string {
  const named = Object.keys(module).find(name => isServable(module[name]))
  if (named !== undefined)
    return `${path} exports the app as ${named}, not as its default export; add \`export default ${named}\``
  if (!('default' in module)) return `${path} has no default export; end it with \`export default app\``
  const value = module['default']
  const kind = value === null ? 'null' : typeof value === 'object' ? 'another object' : `a ${typeof value}`
  return `the default export of ${path} is ${kind}; expected what \`new App()\` from 'millrace' gives`
}
