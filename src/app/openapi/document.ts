// The OpenAPI 3.1 document of an app: its routes, as they were declared, in the form that other tools read.
import type { ErrorFormat } from '../problem.ts'
import type { MountedRoute } from '../route.ts'
import { parsePattern } from '../pattern.ts'
import { bodyOf } from './body.ts'
import { Components, type JsonObject } from './components.ts'
import { defaultSummary, operationIds } from './names.ts'
import { parametersOf } from './parameters.ts'
import { responsesOf } from './responses.ts'

/** What the document says about the API as a whole. */
export interface ApiInfo {
  /** Default 'Millrace'. */
  title?: string
  /** Of the API, not of OpenAPI. Default '0.1.0'. */
  version?: string
  /** One line. */
  summary?: string
  /** Markdown. */
  description?: string
  /** A URL. */
  termsOfService?: string
  contact?: { readonly name?: string; readonly url?: string; readonly email?: string }
  /** `identifier` is an SPDX expression; either it or a URL. */
  license?: { readonly name: string; readonly identifier?: string; readonly url?: string }
  /** Where the API is reached. Default: the host that serves the document. */
  servers?: readonly { readonly url: string; readonly description?: string }[]
  externalDocs?: { readonly url: string; readonly description?: string }
  /** Descriptions of tags, in the order in which the docs pages show them. */
  openapiTags?: readonly { readonly name: string; readonly description?: string }[]
}

/** An OpenAPI 3.1 document, as plain JSON data. */
export interface OpenApiDocument {
  readonly openapi: '3.1.0'
  readonly info: Readonly<Record<string, unknown>> & { readonly title: string; readonly version: string }
  readonly servers: readonly { readonly url: string; readonly description?: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Readonly<Record<string, unknown>>>> }
  readonly [more: string]: unknown
}

/** Said when the app names no server: paths are relative to the host the document came from. */
export const SAME_HOST = '/'

/**
 * @throws UsageError for a schema that has no JSON Schema (naming route and place), two different schemas under one name, or an
 *   operationId given twice
 */
export function buildDocument(info: ApiInfo, routes: readonly MountedRoute[], format: ErrorFormat): OpenApiDocument {
  const shown = routes.filter(route => !route.endpoint.spec.hidden)
  const ids = operationIds(shown)
  const components = new Components()
  const paths = new Paths()
  for (const route of shown) {
    const { method, spec } = route.endpoint
    const place = paths.place(method, route.path)
    const parameters = parametersOf(route, components).map(parameter =>
      parameter.in === 'path' ? { ...parameter, name: place.rename.get(parameter.name) ?? parameter.name } : parameter,
    )
    const tags = [...new Set([...route.groups.flatMap(group => group.tags), ...(spec.tags ?? [])])]
    const requestBody = bodyOf(route, components)
    place.item[method.toLowerCase()] = {
      ...(tags.length > 0 ? { tags } : {}),
      summary: spec.summary ?? defaultSummary(method, route.path),
      ...(spec.description === undefined ? {} : { description: spec.description }),
      operationId: ids.get(route)!,
      ...(spec.deprecated ? { deprecated: true } : {}),
      ...(parameters.length > 0 ? { parameters } : {}),
      ...(requestBody === undefined ? {} : { requestBody }),
      responses: responsesOf(route, components, format),
    }
  }
  const { title = 'Millrace', version = '0.1.0', servers, openapiTags, externalDocs } = info
  const { summary, description, termsOfService, contact, license } = info
  const schemas = components.finish(paths.items)
  return {
    openapi: '3.1.0',
    info: given({ title, version, summary, description, termsOfService, contact, license }),
    servers: servers && servers.length > 0 ? servers : [{ url: SAME_HOST }],
    // None is asked for unless an operation says so.
    security: [],
    paths: paths.items as OpenApiDocument['paths'],
    components: { schemas },
    ...given({ tags: openapiTags, externalDocs }),
  }
}

interface Place {
  readonly item: JsonObject
  /** From a route's own path names to those of the path item. */
  readonly rename: ReadonlyMap<string, string>
}

/** Path items. Two patterns that differ only in their names are one item to OpenAPI, under the names declared first. */
class Paths {
  readonly items: JsonObject = {}
  readonly #byShape = new Map<string, { readonly names: readonly string[]; readonly item: JsonObject }>()

  place(method: string, pattern: string): Place {
    const segments = parsePattern(pattern)
    const own = segments.flatMap(segment => (segment.kind === 'text' ? [] : [segment.name]))
    const shape = segments
      .map(segment => (segment.kind === 'text' ? segment.text : segment.kind === 'value' ? '{}' : '{*}'))
      .join('/')
    let known = this.#byShape.get(shape)
    if (!known) {
      const names = [...own]
      let path = spell(segments, names)
      // '/a/{x}' and '/a/{x*}' would be written alike.
      while (path in this.items) {
        names.push(`${names.pop()!}_rest`)
        path = spell(segments, names)
      }
      const item: JsonObject = {}
      this.items[path] = item
      this.#byShape.set(shape, (known = { names, item }))
    }
    const { item, names } = known
    return { item, rename: new Map(own.map((name, n) => [name, names[n]!])) }
  }
}

function spell(segments: ReturnType<typeof parsePattern>, names: readonly string[]): string {
  let n = 0
  return segments.map(segment => `/${segment.kind === 'text' ? segment.text : `{${names[n++]!}}`}`).join('')
}

function given<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never
}
