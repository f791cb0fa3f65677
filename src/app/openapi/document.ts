// The OpenAPI document of an app: its routes, as they were declared, in the form that other tools read.
import { UsageError } from '../../core/error.ts'
import type { ErrorFormat } from '../problem.ts'
import type { MountedRoute } from '../route.ts'
import { parseHost } from '../host-pattern.ts'
import { parsePattern } from '../pattern.ts'
import type { Versions } from '../versions.ts'
import { bodyOf } from './body.ts'
import { Components, type JsonObject } from './components.ts'
import type { ExternalDocs, Outgoing } from './facts.ts'
import { merged } from './merge.ts'
import { defaultSummary, operationIds, tagsOf } from './names.ts'
import { callbacksOf, webhooksOf } from './outgoing.ts'
import { type Parameter, parametersOf } from './parameters.ts'
import { responsesOf } from './responses.ts'
import { SecuritySchemes } from './security.ts'

/** Of OpenAPI. 3.1 is what every tool reads; 3.2 has words for the items of a stream, and for QUERY. */
export type OpenApiVersion = '3.1.0' | '3.2.0'

/** @throws UsageError `APP_BAD_OPENAPI_VERSION` for any other */
export function refuseOtherVersion(version: OpenApiVersion): void {
  if (version !== '3.1.0' && version !== '3.2.0')
    throw new UsageError(
      'APP_BAD_OPENAPI_VERSION',
      `openapiVersion: ${JSON.stringify(version)} is neither '3.1.0' nor '3.2.0'`,
    )
}

/** What the document says about the API as a whole. */
export interface ApiInfo {
  /** Default 'Millrace'. */
  title?: string
  /** Of the API, not of OpenAPI. Default '0.1.0'. */
  version?: string
  /** Default '3.1.0'. */
  openapiVersion?: OpenApiVersion
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
  servers?: readonly ApiServer[]
  externalDocs?: ExternalDocs
  /** Descriptions of tags, in the order in which the docs pages show them. */
  openapiTags?: readonly {
    readonly name: string
    readonly description?: string
    readonly externalDocs?: ExternalDocs
  }[]
  /** Requests that the application sends to whoever has asked for them, by name. */
  webhooks?: Readonly<Record<string, Outgoing>>
  /** false: one component where input and output differ, the input's. Default true: NAME-Input and NAME-Output. */
  separateInputOutput?: boolean
  /** The last step: merged into the document (objects by key, lists one behind the other), or a function that changes it or gives another. */
  openapi?: Readonly<Record<string, unknown>> | ((document: OpenApiDocument) => OpenApiDocument | void)
}

export interface ApiServer {
  readonly url: string
  readonly description?: string
  readonly variables?: Readonly<
    Record<string, { readonly default: string; readonly enum?: readonly string[]; readonly description?: string }>
  >
}

/** An OpenAPI document, as plain JSON data. */
export interface OpenApiDocument {
  readonly openapi: OpenApiVersion
  readonly info: Readonly<Record<string, unknown>> & { readonly title: string; readonly version: string }
  readonly servers: readonly ApiServer[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly components: {
    readonly schemas: Readonly<Record<string, Readonly<Record<string, unknown>>>>
    readonly securitySchemes?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  }
  readonly [more: string]: unknown
}

/** How requests come to the routes. */
export interface Reached {
  /** What stands before every path: of a proxy, of a mount. */
  readonly outside?: string
  readonly versions?: Versions | undefined
  /** Default: what the app says. */
  readonly openapiVersion?: OpenApiVersion | undefined
}

/** Said when the app names no server: paths are relative to the host the document came from. */
export const SAME_HOST = '/'

/**
 * @throws UsageError for a schema that has no JSON Schema (naming route and place), two different schemas or schemes under one name, or an
 *   operationId given twice, and for a version of OpenAPI that is not written here
 */
export function buildDocument(
  info: ApiInfo,
  routes: readonly MountedRoute[],
  format: ErrorFormat,
  { outside = '', versions, openapiVersion = info.openapiVersion ?? '3.1.0' }: Reached = {},
): OpenApiDocument {
  refuseOtherVersion(openapiVersion)
  const told = routes.filter(route => !route.endpoint.spec.hidden && !route.groups.some(group => group.hidden))
  // What goes on in a WebSocket has no words in OpenAPI: the AsyncAPI document has it, and here is where to look for it.
  const sockets = told.filter(({ endpoint }) => endpoint.verb === 'WS').map(({ path }) => path)
  const shown = told
    .filter(({ endpoint }) => endpoint.verb !== 'WS')
    .sort((a, b) => Number(a.host !== undefined) - Number(b.host !== undefined))
  const ids = operationIds(shown)
  const components = new Components(info.separateInputOutput ?? true, openapiVersion !== '3.1.0')
  const schemes = new SecuritySchemes()
  const paths = new Paths()
  for (const route of shown) {
    const { method, spec } = route.endpoint
    const place = paths.place(method, route.path)
    // A path item of 3.1 has no place for QUERY.
    const key = method === 'QUERY' && openapiVersion === '3.1.0' ? 'x-query' : method.toLowerCase()
    // OpenAPI has one place for a method and a path. What is there for every host comes first; a second host's has to stand aside.
    if (key in place.item) continue
    const parameters = parametersOf(route, components).map(parameter =>
      parameter.in === 'path' ? { ...parameter, name: place.rename.get(parameter.name) ?? parameter.name } : parameter,
    )
    if (versions && route.version !== undefined) parameters.push(versionParameter(route.version, versions))
    const tags = tagsOf(route)
    const operationId = ids.get(route)!
    const requestBody = bodyOf(route, components)
    const callbacks = callbacksOf(
      [...route.groups.map(group => group.callbacks), spec.callbacks],
      operationId,
      route.name,
      components,
    )
    const isDeprecated = spec.deprecated || route.groups.some(group => group.deprecated)
    const security = schemes.use(route)
    const operation = {
      ...(tags.length > 0 ? { tags } : {}),
      summary: spec.summary ?? defaultSummary(method, route.path),
      ...(spec.description === undefined ? {} : { description: spec.description }),
      operationId,
      ...(isDeprecated ? { deprecated: true } : {}),
      ...(spec.externalDocs === undefined ? {} : { externalDocs: spec.externalDocs }),
      ...(parameters.length > 0 ? { parameters } : {}),
      ...(requestBody === undefined ? {} : { requestBody }),
      responses: responsesOf(route, components, format, security),
      ...(callbacks === undefined ? {} : { callbacks }),
      ...(security === undefined ? {} : { security: security.alternatives }),
      ...(route.host === undefined ? {} : { servers: [hostServer(route.host, outside)] }),
    }
    place.item[key] = spec.openapi ? merged(operation, spec.openapi) : operation
  }
  const { title = 'Millrace', version = '0.1.0', servers, openapiTags, externalDocs } = info
  const { summary, description, termsOfService, contact, license } = info
  const webhooks = webhooksOf(info.webhooks, components)
  const schemas = components.finish({ paths: paths.items, webhooks })
  const securitySchemes = schemes.finish()
  const document: OpenApiDocument = {
    openapi: openapiVersion,
    info: given({ title, version, summary, description, termsOfService, contact, license }),
    servers: serversOf(servers, outside),
    // None is asked for unless an operation says so.
    security: [],
    paths: paths.items as OpenApiDocument['paths'],
    ...given({ webhooks }),
    components: { schemas, ...(securitySchemes && { securitySchemes }) },
    ...given({ tags: openapiTags, externalDocs }),
    ...(sockets.length > 0 ? { 'x-websockets': sockets } : {}),
  }
  if (typeof info.openapi === 'function') return info.openapi(document) ?? document
  return info.openapi ? merged(document, info.openapi) : document
}

function serversOf(servers: readonly ApiServer[] | undefined, outside: string): readonly ApiServer[] {
  const given = servers ?? []
  if (outside === '') return given.length > 0 ? given : [{ url: SAME_HOST }]
  return given.some(({ url }) => url === outside) ? given : [{ url: outside }, ...given]
}

/** Names of a host are variables of its server: a parameter could not stand there. */
function hostServer(host: string, outside: string): ApiServer {
  const { names } = parseHost(host)
  const url = `//${host}${outside}`
  if (names.length === 0) return { url }
  return { url, variables: Object.fromEntries(names.map(name => [name, { default: name }])) }
}

function versionParameter(version: string, { header, default: usual }: Versions): Parameter {
  return {
    name: header,
    in: 'header',
    required: version !== usual,
    description: version === usual ? 'The version; this one is meant where none is named' : 'The version',
    schema: { type: 'string', enum: [version] },
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
