// The AsyncAPI 3 document of an app: its WebSocket routes, which OpenAPI has no words for.
//
// A channel is a route; what it receives and sends are its messages, each with an operation as the application sees it. Inputs of the
// handshake stand in the channel's binding, those of the path in its address. Schemas are shared components, as in the OpenAPI document.
import type { MountedRoute } from '../route.ts'
import { SocketDefinition, type SocketRules } from '../websocket/socket-route.ts'
import { Components, type JsonObject } from './components.ts'
import type { ApiInfo, ApiServer } from './document.ts'
import { routeWords, tagsOf } from './names.ts'
import { type Parameter, parametersOf } from './parameters.ts'
import { SecuritySchemes } from './security.ts'

/** An AsyncAPI 3.0 document, as plain JSON data. */
export interface AsyncApiDocument {
  readonly asyncapi: '3.0.0'
  readonly info: Readonly<Record<string, unknown>> & { readonly title: string; readonly version: string }
  readonly channels: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly operations: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly components: Readonly<Record<string, unknown>>
  readonly [more: string]: unknown
}

export function socketsOf(routes: readonly MountedRoute[]): readonly MountedRoute[] {
  return routes.filter(
    ({ endpoint, groups }) =>
      endpoint instanceof SocketDefinition && !endpoint.spec.hidden && !groups.some(group => group.hidden),
  )
}

/** @throws UsageError for a schema that has no JSON Schema (naming route and place), or two different schemas under one name */
export function buildAsyncApi(info: ApiInfo, routes: readonly MountedRoute[]): AsyncApiDocument {
  const components = new Components(info.separateInputOutput ?? true)
  const schemes = new SecuritySchemes()
  const channels: Record<string, JsonObject> = {}
  const operations: Record<string, JsonObject> = {}
  for (const route of socketsOf(routes)) {
    const { spec, rules } = route.endpoint as SocketDefinition
    const id = freeId(spec.operationId ?? idOf(route.path), channels)
    const parameters = parametersOf(route, components)
    const messages = messagesOf(rules, route.name, components)
    const security = schemes.use(route)
    const tags = tagsOf(route).map(name => ({ name }))
    channels[id] = {
      address: route.path.replaceAll('*}', '}'),
      ...told({ summary: spec.summary, description: spec.description }),
      ...(tags.length > 0 ? { tags } : {}),
      ...pathParameters(parameters),
      messages,
      bindings: { ws: bindingOf(parameters) },
      ...(spec.deprecated ? { 'x-deprecated': true } : {}),
      ...(rules.subprotocols.length > 0 ? { 'x-subprotocols': [...rules.subprotocols] } : {}),
    }
    for (const [name, action] of OPERATIONS) {
      if (!(name in messages)) continue
      const sent = action === 'send' ? ['sends', 'invalid'] : ['receives']
      operations[`${id}${name[0]!.toUpperCase()}${name.slice(1)}`] = {
        action,
        channel: { $ref: `#/channels/${id}` },
        messages: sent.filter(each => each in messages).map(each => ({ $ref: `#/channels/${id}/messages/${each}` })),
        ...(security
          ? {
              security: [...new Set(security.alternatives.flatMap(Object.keys))].map(scheme => ({
                $ref: `#/components/securitySchemes/${scheme}`,
              })),
            }
          : {}),
      }
    }
  }
  const { title = 'Millrace', version = '0.1.0', description, termsOfService, contact, license, servers } = info
  const schemas = components.finish({ channels })
  const securitySchemes = schemes.finish()
  return {
    asyncapi: '3.0.0',
    info: {
      title,
      version,
      ...told({ description, termsOfService, contact }),
      // An SPDX identifier has no place here.
      ...(license ? { license: told({ name: license.name, url: license.url }) } : {}),
    },
    defaultContentType: 'application/json',
    ...serversOf(servers),
    channels,
    operations,
    components: {
      schemas,
      ...(securitySchemes
        ? {
            securitySchemes: Object.fromEntries(
              Object.entries(securitySchemes).map(([name, it]) => [name, asScheme(it)]),
            ),
          }
        : {}),
    },
  }
}

/** As the application sees them. */
const OPERATIONS = [
  ['receives', 'receive'],
  ['sends', 'send'],
] as const

/** '/chat/{room}' is wsChatByRoom. */
function idOf(path: string): string {
  return routeWords('ws', path)
    .join(' ')
    .replaceAll(/ (\w)/g, (_, letter: string) => letter.toUpperCase())
}

function freeId(base: string, taken: Readonly<Record<string, unknown>>): string {
  let id = base
  for (let n = 2; id in taken; n++) id = `${base}${n}`
  return id
}

function messagesOf(rules: SocketRules, where: string, components: Components): Record<string, JsonObject> {
  const messages: Record<string, JsonObject> = {}
  for (const name of ['receives', 'sends'] as const) {
    const schema = rules[name]
    if (schema === null) continue
    const direction = name === 'receives' ? 'input' : 'output'
    const { contentType, payload } = KINDS[rules.messages]
    messages[name] = {
      ...told({ contentType }),
      payload: schema ? components.use(schema, direction, `${where} ${name}`) : { ...payload },
    }
  }
  if (rules.onInvalid === 'tell')
    messages['invalid'] = {
      contentType: 'application/problem+json',
      summary: 'What is wrong with a message that was received',
      payload: { type: 'object' },
    }
  return messages
}

const KINDS: Readonly<Record<SocketRules['messages'], { contentType?: string; payload: JsonObject }>> = {
  json: { payload: {} },
  text: { contentType: 'text/plain', payload: { type: 'string' } },
  binary: { contentType: 'application/octet-stream', payload: { type: 'string', format: 'binary' } },
  mixed: { contentType: 'application/octet-stream', payload: { type: 'string' } },
}

function pathParameters(parameters: readonly Parameter[]): JsonObject {
  const inPath = parameters.filter(parameter => parameter.in === 'path')
  if (inPath.length === 0) return {}
  return {
    parameters: Object.fromEntries(
      inPath.map(({ name, description, schema }) => {
        const { enum: choices } = schema as { enum?: readonly unknown[] }
        return [name, told({ description, enum: choices?.map(String) })]
      }),
    ),
  }
}

/** Of the handshake: it is a GET, and these are its inputs. */
function bindingOf(parameters: readonly Parameter[]): JsonObject {
  const objectOf = (place: Parameter['in']): JsonObject | undefined => {
    const there = parameters.filter(parameter => parameter.in === place)
    if (there.length === 0) return undefined
    const required = there.filter(parameter => parameter.required).map(({ name }) => name)
    return {
      type: 'object',
      properties: Object.fromEntries(
        there.map(({ name, description, schema }) => [name, { ...schema, ...told({ description }) }]),
      ),
      ...(required.length > 0 ? { required } : {}),
    }
  }
  const [query, headers, cookies] = [objectOf('query'), objectOf('header'), objectOf('cookie')]
  return { bindingVersion: '0.1.0', method: 'GET', ...told({ query, headers, 'x-cookies': cookies }) }
}

/** Those with a host of their own; a document without one is about the host that it came from. */
function serversOf(servers: readonly ApiServer[] = []): JsonObject {
  const found = servers.flatMap(({ url, description }, n) => {
    if (!URL.canParse(url)) return []
    const { protocol, host, pathname } = new URL(url)
    const isSafe = protocol === 'https:'
    const server = { host, protocol: isSafe ? 'wss' : 'ws', ...(pathname === '/' ? {} : { pathname }) }
    return [[n === 0 ? 'main' : `server${n + 1}`, { ...server, ...told({ description }) }] as const]
  })
  return found.length === 0 ? {} : { servers: Object.fromEntries(found) }
}

/** From OpenAPI's words to AsyncAPI's. */
function asScheme(scheme: JsonObject): JsonObject {
  if (scheme['type'] === 'apiKey') return { ...scheme, type: 'httpApiKey' }
  if (scheme['type'] !== 'oauth2') return scheme
  const flows = Object.entries(scheme['flows'] as Record<string, JsonObject>).map(([name, { scopes, ...flow }]) => [
    name,
    { ...flow, availableScopes: scopes },
  ])
  return { ...scheme, flows: Object.fromEntries(flows) as JsonObject }
}

function told<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never
}
