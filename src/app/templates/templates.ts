// HTML from templates of eta: compiled once, what is put into them escaped.
/* eslint-disable n/no-sync -- what is read when the app is loaded is read before it serves anybody */
import { globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Eta, EtaFileResolutionError, EtaNameResolutionError } from 'eta'
import { UsageError } from '../../core/error.ts'

export interface TemplateOptions {
  /** Where the templates are; nothing outside of it is read. */
  readonly directory: string | URL
  /** What every template finds in `it` besides its own data. */
  readonly globals?: Readonly<Record<string, unknown>>
  /** Read a file anew when it is used. Default: unless NODE_ENV is production, as under `millrace serve`. */
  readonly reload?: boolean
  /** Of names without one. Default '.eta'. */
  readonly extension?: string
}

export interface Templates {
  /**
   * @param name  of a file in the directory, without its extension: 'orders/show'
   * @throws UsageError `APP_TEMPLATE_NOT_FOUND` for a file that is not there or lies outside; what the template throws
   */
  render(name: string, data?: object): string
}

/**
 * `<%= it.name %>` puts in a value, escaped; `<%~ it.body %>` puts in HTML as it is; `<% if (...) { %>` is JavaScript;
 * `<% layout('./layout') %>` surrounds, `<%~ include('./part', { ... }) %>` takes in. (https://eta.js.org)
 *
 * @example
 * const pages = templates({ directory: new URL('./pages/', import.meta.url) })
 * app.get('/orders/{id}', { returns: html }, async ({ params }) => pages.render('orders/show', await order(params.id)))
 *
 * @throws UsageError `APP_TEMPLATE_BROKEN` for one that cannot be compiled, `APP_TEMPLATE_NOT_FOUND` for a directory that is not there
 */
export function templates(options: TemplateOptions): Templates {
  const { NODE_ENV: environment } = process.env
  const { directory, globals = {}, reload = environment !== 'production', extension = '.eta' } = options
  const views = typeof directory === 'string' ? directory : fileURLToPath(directory)
  const eta = new Eta({ views, cache: !reload, autoEscape: true, defaultExtension: extension, debug: reload })
  compileAll(eta, views, extension)
  return {
    render(name, data = {}) {
      try {
        return eta.render(name, { ...globals, ...data })
      } catch (cause) {
        if (cause instanceof EtaFileResolutionError || cause instanceof EtaNameResolutionError)
          throw new UsageError('APP_TEMPLATE_NOT_FOUND', `there is no template ${name} in ${views}`, { cause })
        throw cause
      }
    },
  }
}

/** So that a mistake is told at the start, and not by a page that nobody has looked at yet. */
function compileAll(eta: Eta, views: string, extension: string): void {
  if (!statSync(views, { throwIfNoEntry: false })?.isDirectory())
    throw new UsageError('APP_TEMPLATE_NOT_FOUND', `templates(): ${views} is no directory`)
  for (const name of globSync(`**/*${extension}`, { cwd: views })) {
    try {
      eta.compile(readFileSync(join(views, name), 'utf8'), { filepath: join(views, name) })
    } catch (cause) {
      throw new UsageError('APP_TEMPLATE_BROKEN', `${join(views, name)}: ${(cause as Error).message}`, { cause })
    }
  }
}
