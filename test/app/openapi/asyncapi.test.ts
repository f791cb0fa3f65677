// The AsyncAPI document: valid by its published schema, and true of the routes.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { describe, test } from 'node:test'
import { Ajv, type AnySchema } from 'ajv'
import formats from 'ajv-formats'
import { App, dependency, Router } from 'millrace'
import { bearer } from 'millrace/security'
import { testClient } from 'millrace/testing'
import * as z from 'zod'
import { silent } from '../support/seams.ts'

const schema = createRequire(import.meta.url)('@asyncapi/specs/schemas/3.0.0-without-$id.json') as AnySchema

const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: true })
;(formats as unknown as (ajv: Ajv) => void)(ajv)
const isValid = ajv.compile(schema)

const Said = z.object({ text: z.string().min(1), at: z.iso.datetime().optional() }).meta({ id: 'Said' })
const Heard = z.object({ from: z.string(), text: z.string() }).meta({ id: 'Heard' })

function make(): App {
  const user = dependency(
    { security: bearer(), headers: z.object({ 'x-trace': z.string().optional() }) },
    ({ token }) => token,
  )
  const app = new App({
    title: 'Chat',
    version: '2.1.0',
    description: 'Talk.',
    contact: { name: 'Us', email: 'us@example.com' },
    license: { name: 'MIT', identifier: 'MIT' },
    servers: [{ url: 'https://chat.example/v2', description: 'Live' }, { url: '/' }],
    log: silent,
  })
  const rooms = new Router({ prefix: '/rooms', tags: ['rooms'], uses: { user } })
  rooms.ws(
    '/{room}/{kind}',
    {
      params: z.object({ room: z.string().describe('Which room'), kind: z.enum(['a', 'b']) }),
      query: z.object({ since: z.int().optional(), name: z.string() }),
      cookies: z.object({ sid: z.string() }),
      receives: Said,
      sends: z.union([Heard, z.array(Heard)]),
      onInvalid: 'tell',
      subprotocols: ['v1'],
      summary: 'Talk in a room',
      deprecated: true,
    },
    () => {},
  )
  app.include(rooms)
  app.ws('/feed', { receives: null, sends: Heard, operationId: 'liveFeed' }, () => {})
  app.ws('/bytes/{path*}', { messages: 'binary' }, () => {})
  app.ws('/lines', { messages: 'text', sends: null }, () => {})
  app.ws('/hidden', { hidden: true }, () => {})
  app.get('/plain', { returns: Heard }, () => ({ from: 'x', text: 'y' }))
  return app
}

describe('the AsyncAPI document', () => {
  test('is valid by the published schema, which refuses what is not', () => {
    assert.ok(isValid(make().asyncapi()), JSON.stringify(isValid.errors?.slice(0, 5), null, 1))
    assert.equal(isValid({ ...make().asyncapi(), operations: { x: { action: 'shout' } } }), false)
  })

  test('has a channel for each WebSocket route, with its inputs, its messages and what it asks for', () => {
    const { channels, operations, components, servers, info } = make().asyncapi()
    assert.deepEqual(Object.keys(channels), ['wsRoomsByRoomByKind', 'liveFeed', 'wsBytesByPath', 'wsLines'])
    assert.deepEqual(servers, {
      main: { host: 'chat.example', protocol: 'wss', pathname: '/v2', description: 'Live' },
    })
    assert.deepEqual(info['license'], { name: 'MIT' })
    const room = channels['wsRoomsByRoomByKind'] as Record<string, any>
    assert.equal(room['address'], '/rooms/{room}/{kind}')
    assert.equal(room['summary'], 'Talk in a room')
    assert.deepEqual(room['parameters'], { room: { description: 'Which room' }, kind: { enum: ['a', 'b'] } })
    const { query, headers } = room['bindings'].ws
    assert.deepEqual(query.required, ['name'])
    assert.deepEqual(Object.keys(query.properties), ['since', 'name'])
    assert.deepEqual(Object.keys(headers.properties), ['x-trace'])
    assert.deepEqual(room['messages'].receives.payload, { $ref: '#/components/schemas/Said' })
    assert.deepEqual(room['messages'].sends.payload.anyOf[0], { $ref: '#/components/schemas/Heard' })
    assert.deepEqual(room['x-subprotocols'], ['v1'])
    assert.deepEqual(
      Object.values(operations).map(({ action, channel }) => [action, (channel as { $ref: string }).$ref]),
      [
        ['receive', '#/channels/wsRoomsByRoomByKind'],
        ['send', '#/channels/wsRoomsByRoomByKind'],
        ['send', '#/channels/liveFeed'],
        ['receive', '#/channels/wsBytesByPath'],
        ['send', '#/channels/wsBytesByPath'],
        ['receive', '#/channels/wsLines'],
      ],
    )
    assert.equal((operations['wsRoomsByRoomByKindSends']!['messages'] as unknown[]).length, 2)
    const [needed] = operations['wsRoomsByRoomByKindReceives']!['security'] as { $ref: string }[]
    const schemes = components['securitySchemes'] as Record<string, { type: string }>
    assert.equal(schemes[needed!.$ref.split('/').at(-1)!]!.type, 'http')
    assert.equal(channels['wsBytesByPath']!['address'], '/bytes/{path}')
  })

  test('is served beside the OpenAPI document, which says where to look', async () => {
    const app = make()
    const api = testClient(app)
    const answer = await api.fetch('/asyncapi.json')
    assert.equal(answer.headers.get('content-type'), 'application/json')
    assert.deepEqual(await answer.json(), JSON.parse(JSON.stringify(app.asyncapi())))
    const openapi = app.openapi()
    assert.deepEqual(openapi['x-websockets'], ['/rooms/{room}/{kind}', '/feed', '/bytes/{path*}', '/lines'])
    assert.deepEqual(Object.keys(openapi.paths), ['/plain'])
    await api.close()
  })

  test('is not there without WebSocket routes, nor where the app turns it off, and may live elsewhere', async () => {
    const status = async (app: App, path: `/${string}`) => {
      const api = testClient(app)
      const answer = await api.fetch(path)
      await api.close()
      return answer.status
    }
    const withRoute = (docs: NonNullable<ConstructorParameters<typeof App>[0]>['docs']) => {
      const app = new App({ log: silent, docs: docs! })
      app.ws('/x', () => {})
      return app
    }
    assert.equal(await status(new App({ log: silent }), '/asyncapi.json'), 404)
    assert.equal(await status(withRoute(false), '/asyncapi.json'), 404)
    assert.equal(await status(withRoute({ asyncapi: false }), '/asyncapi.json'), 404)
    assert.equal(await status(withRoute({ openapi: false }), '/asyncapi.json'), 200)
    assert.equal(await status(withRoute({ asyncapi: '/events.json' }), '/events.json'), 200)
  })

  test('names the route whose schema cannot be described', () => {
    const app = new App({ log: silent })
    app.ws('/bad', { receives: z.map(z.string(), z.string()) }, () => {})
    assert.throws(() => app.manifest(), /WS \/bad receives/)
  })
})
