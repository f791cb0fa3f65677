// Says why a user's module could not be imported: the file and line, the construct, and the way out.
//
// Node runs TypeScript by stripping its types. What has to be generated (enum, namespace, parameter property), what is not JavaScript
// yet (decorators), and what only a bundler resolves (tsconfig paths, imports without extension) fails in Node with messages that
// do not name the remedy; each gets a row here. The texts were collected on Node 22.23 and 26.10.
import { execFile } from 'node:child_process'
import { access, readdir, readFile } from 'node:fs/promises'
import { basename, dirname, extname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MillraceError } from '../core/error.ts'
import { StartError } from './errors.ts'
import { EXIT } from './exit-codes.ts'
import { didYouMean } from '../core/nearest-name.ts'
import { aliasOf } from './tsconfig-paths.ts'

/** @returns the error to throw instead, with a complete message */
export async function explainImportError(error: unknown, entry: string, directory: string): Promise<StartError> {
  const where = placeOf(error) ?? (error instanceof SyntaxError ? await placeByRunning(entry) : undefined)
  const code = (error as NodeJS.ErrnoException | null)?.code
  const place = where ? `${shorten(where.file, directory)}:${where.line}` : shorten(entry, directory)
  const failed = (kind: string, text: string) => new StartError(kind, EXIT.app, text, { cause: error })

  if (error instanceof StartError) return error
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX')
    return failed('LOAD_SYNTAX', unsupportedSyntax(error as Error, place))
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'ERR_UNSUPPORTED_DIR_IMPORT')
    return failed('LOAD_IMPORT', await unresolvedImport(error as Error, entry, directory))
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION') return failed('LOAD_IMPORT', unknownExtension(error as Error, directory))
  if (code === 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING')
    return failed(
      'LOAD_IMPORT',
      `${textOf(error)}; a package must ship JavaScript: build it, or use its JavaScript entry`,
    )
  if (error instanceof SyntaxError) return failed('LOAD_SYNTAX', await syntax(error, place, where))
  if (error instanceof MillraceError) return failed(error.code, `${place}: ${error.message}`)
  return failed('LOAD_THREW', threw(error, place, directory))
}

/** An app that was loaded but did not start: its lifespan or a dependency threw, or a route cannot be served. */
export function explainStartError(error: unknown, directory: string): StartError {
  if (error instanceof StartError) return error
  if (error instanceof MillraceError)
    return new StartError(error.code, EXIT.app, `the app did not start: ${error.message}`, { cause: error })
  const place = placeOf(error)
  const at = place ? `${shorten(place.file, directory)}:${place.line}` : 'the app'
  return new StartError('APP_NOT_STARTED', EXIT.app, `the app did not start: ${threw(error, at, directory)}`, {
    cause: error,
  })
}

/** A hook that threw. @param name  of the function */
export function explainHookError(error: unknown, name: string, directory: string): StartError {
  if (error instanceof StartError) return error
  const place = placeOf(error)
  const at = place ? `${shorten(place.file, directory)}:${place.line}` : name
  return new StartError('HOOK_FAILED', EXIT.app, `${name} failed: ${threw(error, at, directory)}`, { cause: error })
}

const CONSTRUCTS: readonly (readonly [found: RegExp, construct: string, wayOut: string])[] = [
  [/enum/, 'an enum', "write `const Color = { red: 'red', green: 'green' } as const` instead"],
  [/namespace|module declaration/, 'a namespace', 'use a module (a file of its own) or a plain object instead'],
  [/parameter property/, 'a parameter property', 'declare the field in the class and assign it in the constructor'],
  [/import equals/, '`import x = require()`', "write `import x from 'x'` instead"],
  [/export assignment/, '`export =`', 'write `export default` instead'],
]

const STRIPPING = 'Node runs TypeScript by removing its types, and this would have to be compiled'

function unsupportedSyntax(error: Error, place: string): string {
  const row = CONSTRUCTS.find(([found]) => found.test(error.message))
  if (!row) return `${place}: ${error.message}; ${STRIPPING}`
  return `${place}: ${row[1]} cannot run here: ${STRIPPING}.\n  Way out: ${row[2]}.\n  With "erasableSyntaxOnly": true in tsconfig.json the editor tells.`
}

async function syntax(error: Error, place: string, where: Place | undefined): Promise<string> {
  const missing = /The requested module '(.+)' does not provide an export named '(.+)'/.exec(error.message)
  if (missing)
    return `${place}: ${missing[1]} has no export ${missing[2]} at run time.\n  Way out: if it is a type, import it with \`import type { ${missing[2]} }\`; "verbatimModuleSyntax": true in tsconfig.json makes the editor tell.`
  const line = where ? await lineOf(where) : ''
  if (/^\s*@\w/.test(line) || /\s@\w+\(/.test(line))
    return `${place}: a decorator cannot run here: Node does not know them, and removing types leaves them in place.\n  Way out: call the function yourself, or pass what it configures as an option.\n  ${line.trim()}`
  if (/\b(?:await )?using\b/.test(line))
    return `${place}: ${process.version} does not know \`using\`.\n  Way out: use try and finally, or Node 24 or newer.`
  return `${place}: ${error.message}${line ? `\n  ${line.trim()}` : ''}`
}

async function unresolvedImport(error: Error, entry: string, directory: string): Promise<string> {
  const match = /^(?:Cannot find (?:module|package)|Directory import) '(.+?)'.* imported from (.+)$/.exec(error.message)
  if (!match) return error.message
  const [, wanted, from] = match as unknown as [string, string, string]
  const importer = from.startsWith('file:') ? fileURLToPath(from) : from
  const specifier = (await specifierIn(importer, wanted)) ?? wanted
  const place = shorten(importer, directory)
  const says = `${place} imports '${specifier}'`

  if (!wanted.startsWith('/') && !/^[a-z]:\\/i.test(wanted)) {
    const alias = await aliasOf(specifier, dirname(importer))
    if (alias)
      return `${says}, which is the path alias "${alias.pattern}" of ${shorten(alias.tsconfig, directory)}; Node does not read those.\n  Way out: import the file by its relative path with extension${alias.target ? `, '${relativeImport(importer, alias.target)}'` : ''}, or name it under "imports" in package.json ('#name').`
    return `${says}, a package that is not installed.\n  Way out: npm install ${wanted}, or correct the name; a file of your own starts with './'.`
  }
  const target = await existingModule(wanted)
  if (target)
    return `${says}, and Node wants the exact name of the file.\n  Way out: write '${relativeImport(importer, target)}'. With "allowImportingTsExtensions": true in tsconfig.json TypeScript accepts it.`
  if (importer === entry || (await exists(importer)))
    return `${says}, but there is no such file${(await nearFile(wanted)) || '.'}`
  return error.message
}

async function nearFile(path: string): Promise<string> {
  const names = await readdir(dirname(path)).catch(() => [])
  return didYouMean(basename(path), names)
}

/** The file that somebody meant by a path without extension, of a directory, or with the extension it would have after a build. */
async function existingModule(path: string): Promise<string | undefined> {
  const built = /\.([mc]?)js$/.exec(path)
  const candidates = [
    ...(built ? [path.replace(/js$/, 'ts')] : []),
    ...['.ts', '.mts', '.js', '.mjs'].map(extension => path + extension),
    ...['index.ts', 'index.mts', 'index.js'].map(name => join(path, name)),
  ]
  for (const candidate of candidates) if (await exists(candidate)) return candidate
  return undefined
}

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  )
}

function unknownExtension(error: Error, directory: string): string {
  const match = /Unknown file extension "(.*)" for (.+)$/.exec(error.message)
  if (!match) return error.message
  const place = shorten(match[2]!, directory)
  if (match[1] === '.tsx' || match[1] === '.jsx')
    return `${place}: Node does not run JSX (${match[1]}).\n  Way out: keep it out of the app, or build it first.`
  return `${place}: Node cannot import a ${match[1] || 'file without extension'}; use a .ts or .js module.`
}

function threw(error: unknown, place: string, directory: string): string {
  if (!(error instanceof Error))
    return `${place}: threw ${typeof error === 'string' ? JSON.stringify(error) : String(error)}, which is not an Error and says no place`
  const lines = [`${place}: ${nameOf(error)}${error.message}`]
  for (let cause = error.cause; cause instanceof Error && lines.length < 5; cause = cause.cause)
    lines.push(`  caused by ${nameOf(cause)}${cause.message}`)
  for (const frame of userFrames(error).slice(0, 5))
    lines.push(`  at ${frame.name ? `${frame.name} ` : ''}${shorten(frame.file, directory)}:${frame.line}`)
  if (/require is not defined/.test(error.message))
    lines.push("  Way out: write `import x from 'x'` instead of require.")
  return lines.join('\n')
}

function nameOf(error: Error): string {
  return error.name === 'Error' ? '' : `${error.name}: `
}

/**
 * A syntax error in an imported ES module does not know its place; only the report of a process that dies of it does. The module cannot
 * be linked, so nothing of the app runs.
 */
function placeByRunning(entry: string): Promise<Place | undefined> {
  return new Promise(resolve => {
    execFile(process.execPath, [...process.execArgv, entry], { timeout: 10_000 }, (_error, _stdout, stderr) => {
      const header = /^(file:\/\/.+?|\/.+?):(\d+)$/m.exec(stderr)
      resolve(header ? { file: toPath(header[1]!), line: Number(header[2]) } : undefined)
    })
  })
}

export interface Place {
  readonly file: string
  readonly line: number
  readonly name?: string
}

/** Where user code is to be looked at: the header that Node puts above a syntax error's stack, else the first frame outside Node. */
export function placeOf(error: unknown): Place | undefined {
  if (!(error instanceof Error) || typeof error.stack !== 'string') return undefined
  const header = /^((?:file:\/\/)?\/[^\n]*?|[A-Za-z]:\\[^\n]*?):(\d+)\n/.exec(error.stack)
  if (header) return { file: toPath(header[1]!), line: Number(header[2]) }
  return userFrames(error)[0]
}

/** Frames of user code, innermost first: not Node's own, not Millrace's, not those of packages unless there are no others. */
export function userFrames(error: Error): Place[] {
  const own = dirname(import.meta.dirname)
  const frames: Place[] = []
  for (const line of (error.stack ?? '').split('\n')) {
    const match = /^\s+at (?:async )?(?:(.+?) \()?((?:file:\/\/|\/|[A-Za-z]:\\).+?):(\d+):\d+\)?$/.exec(line)
    if (!match) continue
    const file = toPath(match[2]!)
    if (!file.startsWith(own + '/'))
      frames.push({ file, line: Number(match[3]), ...(match[1] ? { name: match[1] } : {}) })
  }
  const outside = frames.filter(frame => !frame.file.includes('/node_modules/'))
  return outside.length > 0 ? outside : frames
}

function toPath(text: string): string {
  return text.startsWith('file:') ? fileURLToPath(text) : text
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

async function lineOf(place: Place): Promise<string> {
  const text = await readFile(place.file, 'utf8').catch(() => '')
  return text.split('\n')[place.line - 1] ?? ''
}

/** The specifier as it is written in the importing file; Node's message holds only what it was resolved to, or a part. */
async function specifierIn(importer: string, wanted: string): Promise<string | undefined> {
  const source = await readFile(importer, 'utf8').catch(() => '')
  const specifiers = [...source.matchAll(/(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)].map(match => match[1]!)
  return specifiers.find(specifier =>
    specifier.startsWith('.')
      ? join(dirname(importer), specifier) === wanted
      : specifier === wanted || specifier.startsWith(`${wanted}/`),
  )
}

function relativeImport(importer: string, target: string): string {
  const path = relative(dirname(importer), target)
  return path.startsWith('.') ? path : `./${path}`
}

/** Paths below the working directory are shown relative to it. */
function shorten(file: string, directory: string): string {
  const path = relative(directory, file)
  return path !== '' && !path.startsWith('..') && extname(path) !== '' ? path : file
}
