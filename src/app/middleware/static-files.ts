// Serves a folder of files: the assets of a page, or a whole built frontend, below everything that the app itself answers.
//
//   import { App } from 'millrace'
//   import { staticFiles } from 'millrace/middleware'
//
//   const app = new App({ title: 'Shop' })
//   app.use(staticFiles({ directory: new URL('dist/', import.meta.url), fallback: 'auto' }))
//
// It is around what no route takes, and no route pays for it. Who must be somebody to get a file, or where it is part of the API, a route
// answers with `file(params.path, { root })`.
import { statSync } from 'node:fs'
import { MillraceError, UsageError } from '../../core/error.ts'
import type { Exchange } from '../../http/exchange.ts'
import type { Coding } from '../accept-encoding.ts'
import { adding } from '../additions.ts'
import { Answer } from '../answer.ts'
import type { Middleware, MiddlewareContext } from '../compose.ts'
import { FileAnswer, type FileInit } from '../file.ts'
import { HttpError } from '../http-error.ts'
import { OpenedFile } from '../opened-file.ts'
import { exchangeOf } from '../request-state.ts'
import { acceptsHtml } from './accepts-html.ts'

export interface StaticFilesOptions {
  /** What lies outside of it cannot be had, by dots, links or any spelling. */
  directory: string | URL
  /** Where it is served: '/assets'. Default '/'. */
  path?: string
  /** Sent for a folder; a folder without its last slash is redirected there. Default 'index.html'; false for none. */
  index?: string | false
  /**
   * What a browser that opens a page (GET with HTML in its Accept) gets where no file is: 'index.html', for apps that route in the browser;
   * '404.html', with status 404; 'auto', the latter where there is one and else the former; or false. Default false.
   */
  fallback?: 'auto' | 'index.html' | '404.html' | false
  /** Names that begin with a dot: 'ignore' has them not there, but for /.well-known/. Default 'ignore'. */
  dotFiles?: 'ignore' | 'allow'
  /** Symbolic links in it may lead out of it. Default false. */
  followLinks?: boolean
  /** As `file()` has it: `app.js.br` for `app.js`. Default true. */
  precompressed?: boolean | readonly Coding[]
  /** Cache-Control, or a function of the file's path in the folder. Default: no-cache for .html, so that a deploy is seen, none for others. */
  cacheControl?: string | ((path: string) => string | undefined)
  /** Whether a folder that is not there stops the start. Default 'auto': unless NODE_ENV is development, where it may be built later. */
  checkDirectory?: boolean | 'auto'
}

/**
 * Answers GET and HEAD for files, after all routes; of several folders the one with the longest `path` that fits, and no other. Another
 * method on a file is a 405.
 *
 * @throws UsageError `STATIC_FILES_NO_DIRECTORY`, `STATIC_FILES_BAD_OPTIONS`
 */
export function staticFiles(options: StaticFilesOptions): Middleware {
  const { directory, path = '/', checkDirectory = 'auto' } = options
  if (!path.startsWith('/') || (path !== '/' && path.endsWith('/')))
    throw new UsageError(
      'STATIC_FILES_BAD_OPTIONS',
      `staticFiles(): ${JSON.stringify(path)} is not a path; it starts with '/' and does not end with it`,
    )
  const { NODE_ENV } = process.env
  const isChecked = checkDirectory === 'auto' ? NODE_ENV !== 'development' : checkDirectory
  if (isChecked && !isDirectory(directory))
    throw new UsageError('STATIC_FILES_NO_DIRECTORY', `staticFiles(): there is no directory ${String(directory)}`)
  const folder = new Folder(options)
  const prefix = path === '/' ? '' : path

  const serve: Middleware = async (context, next) => {
    const exchange = exchangeOf(context)
    const isUnder = context.path === prefix || context.path.startsWith(`${prefix}/`)
    if (!isUnder) return next()
    longest.set(exchange, Math.max(prefix.length, longest.get(exchange) ?? 0))
    const answer = await next()
    if (answer.status !== 404 || longest.get(exchange) !== prefix.length) return answer
    return (await folder.answer(context.path.slice(prefix.length), context, exchange)) ?? answer
  }
  return adding(serve, { isForUnrouted: true })
}

/** Of all folders around a request, the length of the longest path that it is under. */
const longest = new WeakMap<Exchange, number>()

class Folder {
  readonly #root: string | URL
  readonly #index: string | false
  readonly #fallbacks: readonly (readonly [name: string, status: number])[]
  readonly #allowsDots: boolean
  readonly #init: FileInit
  readonly #cacheControl: (path: string) => string | undefined

  constructor(options: StaticFilesOptions) {
    const { directory, index = 'index.html', fallback = false, followLinks = false, precompressed = true } = options
    const { cacheControl = defaultCacheControl } = options
    this.#root = directory
    this.#index = index
    this.#fallbacks = FALLBACKS.filter(([name]) => fallback === 'auto' || fallback === name)
    this.#allowsDots = options.dotFiles === 'allow'
    this.#init = { root: directory, followLinks, precompressed }
    this.#cacheControl = typeof cacheControl === 'string' ? () => cacheControl : cacheControl
  }

  /**
   * @param path  in the folder: '' or with a slash before it
   * @returns undefined where there is nothing to answer with
   * @throws HttpError 405, 412, 416
   */
  async answer(path: string, context: MiddlewareContext, exchange: Exchange): Promise<Answer | undefined> {
    const { method } = context
    const isRead = method === 'GET' || method === 'HEAD'
    const isThere = this.#mayBeThere(path)
    if (!isRead) return isThere && (await this.#has(this.#nameOf(path))) ? otherMethod(method) : undefined
    if (isThere) {
      const found = await this.#file(this.#nameOf(path), exchange)
      if (found) return found
      if (this.#index !== false && !path.endsWith('/') && (await this.#has(`${path.slice(1)}/${this.#index}`)))
        return slashRedirect(context)
    }
    if (this.#fallbacks.length === 0 || !acceptsHtml(context.headers.get('accept'))) return undefined
    for (const [name, status] of this.#fallbacks) {
      const found = await this.#file(name, exchange, status)
      if (found) return found
    }
    return undefined
  }

  /** A name has one spelling, or guards and caches would know it by another one. */
  #mayBeThere(path: string): boolean {
    const [, ...names] = path.split('/')
    return names.every((name, n) => {
      if (name === '') return n === names.length - 1
      return this.#allowsDots || !name.startsWith('.') || (n === 0 && name === '.well-known')
    })
  }

  /** '' for a folder that has no index. */
  #nameOf(path: string): string {
    if (!path.endsWith('/')) return path.slice(1)
    return this.#index === false ? '' : path.slice(1) + this.#index
  }

  async #file(name: string, exchange: Exchange, status = 200): Promise<Answer | undefined> {
    if (name === '') return undefined
    const cacheControl = this.#cacheControl(name)
    const init = { ...this.#init, status, ...(cacheControl === undefined ? {} : { cacheControl }) }
    return new FileAnswer(name, init).complete(exchange).catch(undefinedIfMissing)
  }

  async #has(name: string): Promise<boolean> {
    if (name === '') return false
    const opened = await OpenedFile.open(name, this.#root, this.#init.followLinks).catch(undefinedIfMissing)
    await opened?.close()
    return opened !== undefined
  }
}

const FALLBACKS = [
  ['404.html', 404],
  ['index.html', 200],
] as const

function defaultCacheControl(path: string): string | undefined {
  return path.endsWith('.html') ? 'no-cache' : undefined
}

const ALLOW = 'GET, HEAD, OPTIONS'

function otherMethod(method: string): Answer {
  if (method === 'OPTIONS') return new Answer(204, null, ['allow', ALLOW])
  throw new HttpError(405, `${method} is not among the methods of a file: ${ALLOW}`, { headers: { allow: ALLOW } })
}

/** Relative, so that no path can name another host. */
function slashRedirect({ path, search }: MiddlewareContext): Answer {
  const name = encodeURIComponent(path.slice(path.lastIndexOf('/') + 1))
  return new Answer(307, null, ['location', `./${name}/${search === '' ? '' : `?${search}`}`])
}

function undefinedIfMissing(error: unknown): undefined {
  if (error instanceof MillraceError && error.code === 'APP_NO_FILE') return undefined
  throw error
}

function isDirectory(directory: string | URL): boolean {
  // eslint-disable-next-line n/no-sync -- at the start, before anything is served
  return statSync(directory, { throwIfNoEntry: false })?.isDirectory() === true
}
