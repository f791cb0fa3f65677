// Security in the document: schemes by name, what each operation asks for, and the answers that follow from it.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import SwaggerParser from '@apidevtools/swagger-parser'
import { App, dependency, Router, type UsageError } from 'millrace'
import {
  apiKey,
  basic,
  bearer,
  either,
  http,
  oauth2AuthorizationCode,
  oauth2Password,
  openIdConnect,
  optional,
  passwordForm,
  requireScopes,
  type Security,
  TokenAnswer,
  TokenRefusal,
} from 'millrace/security'
import { lint } from './outside-tools.ts'

interface Operation {
  readonly security?: unknown
  readonly responses: Readonly<Record<string, { readonly headers?: object; readonly description: string }>>
  readonly parameters?: unknown
}
const scopes = { me: 'Read about yourself', items: 'Read items' }
const uses = (security: Security<any>) => ({ user: dependency({ security }, () => 1) })

function documented(app: App<any, any>) {
  const { paths, components } = app.openapi()
  const at = (path: string) => (paths[path] as { get: Operation }).get
  return { at, schemes: components.securitySchemes }
}

describe('security in the OpenAPI document', () => {
  test('each kind of scheme is documented under the name that FastAPI gives it', () => {
    const app = new App()
    const all = {
      '/bearer': bearer({ format: 'JWT', description: 'A token' }),
      '/basic': basic(),
      '/digest': http({ scheme: 'Digest' }),
      '/header': apiKey({ in: 'header', name: 'X-API-Key' }),
      '/query': apiKey({ in: 'query', name: 'key' }),
      '/cookie': apiKey({ in: 'cookie', name: 'key' }),
      '/password': oauth2Password({ tokenUrl: '/token', scopes }),
      '/code': oauth2AuthorizationCode({
        authorizationUrl: 'https://a.example/auth',
        tokenUrl: 'https://a.example/token',
        refreshUrl: 'https://a.example/refresh',
        scopes,
      }),
      '/oidc': openIdConnect({ url: 'https://a.example/.well-known/openid-configuration' }),
    }
    for (const [path, security] of Object.entries(all)) app.get(path as '/x', { uses: uses(security) }, () => 1)
    assert.deepEqual(documented(app).schemes, {
      APIKeyCookie: { type: 'apiKey', in: 'cookie', name: 'key' },
      APIKeyHeader: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
      APIKeyQuery: { type: 'apiKey', in: 'query', name: 'key' },
      HTTPBasic: { type: 'http', scheme: 'basic' },
      HTTPBearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'A token' },
      HTTPDigest: { type: 'http', scheme: 'digest' },
      OAuth2AuthorizationCodeBearer: {
        type: 'oauth2',
        flows: {
          authorizationCode: {
            authorizationUrl: 'https://a.example/auth',
            tokenUrl: 'https://a.example/token',
            refreshUrl: 'https://a.example/refresh',
            scopes,
          },
        },
      },
      OAuth2PasswordBearer: { type: 'oauth2', flows: { password: { tokenUrl: '/token', scopes } } },
      OpenIdConnect: {
        type: 'openIdConnect',
        openIdConnectUrl: 'https://a.example/.well-known/openid-configuration',
      },
    })
  })

  test('an operation asks for what its dependencies ask for, with the scopes, and a credential is no parameter', () => {
    const user = dependency({ security: oauth2Password({ tokenUrl: '/token', scopes }) }, () => 1)
    const active = dependency({ uses: { user: requireScopes(user, 'me') } }, () => 1)
    const app = new App()
    app.get('/open', () => 1)
    app.get('/any', { uses: { user } }, () => 1)
    const router = new Router({ prefix: '/r', uses: { active } })
    router.get('/items', { uses: { user: requireScopes(user, 'items') } }, () => 1)
    app.include(router)
    const { at } = documented(app)
    assert.equal(at('/open').security, undefined)
    assert.equal(at('/open').responses['401'], undefined)
    assert.deepEqual(at('/any').security, [{ OAuth2PasswordBearer: [] }])
    assert.deepEqual(at('/r/items').security, [{ OAuth2PasswordBearer: ['me', 'items'] }])
    assert.equal(at('/r/items').parameters, undefined)
  })

  test('401 with its header is documented wherever security is, 403 where scopes are required', () => {
    const user = dependency({ security: bearer() }, () => 1)
    const app = new App()
    app.get('/any', { uses: { user } }, () => 1)
    app.get('/scoped', { uses: { user: requireScopes(user, 'a') } }, () => 1)
    const { at } = documented(app)
    assert.deepEqual(Object.keys(at('/any').responses), ['200', '401', 'default'])
    assert.deepEqual(Object.keys(at('/scoped').responses), ['200', '401', '403', 'default'])
    assert.deepEqual(Object.keys(at('/any').responses['401']!.headers!), ['WWW-Authenticate'])
  })

  test('alternatives are alternatives, nothing is one of them where security is optional, and two dependencies need both', () => {
    const key = apiKey({ in: 'header', name: 'X-API-Key' })
    const app = new App()
    app.get('/either', { uses: uses(either(bearer(), key)) }, () => 1)
    app.get('/optional', { uses: uses(optional(bearer())) }, () => 1)
    const [a, b] = [
      dependency({ security: either(bearer(), basic()) }, () => 1),
      dependency({ security: key }, () => 1),
    ]
    app.get('/both', { uses: { a, b } }, () => 1)
    const { at } = documented(app)
    assert.deepEqual(at('/either').security, [{ HTTPBearer: [] }, { APIKeyHeader: [] }])
    assert.deepEqual(at('/optional').security, [{ HTTPBearer: [] }, {}])
    assert.deepEqual(at('/both').security, [
      { HTTPBearer: [], APIKeyHeader: [] },
      { HTTPBasic: [], APIKeyHeader: [] },
    ])
  })

  test('schemes that differ get numbers, equal ones share a name, and a name given twice is refused', () => {
    const app = new App()
    app.get('/a', { uses: uses(apiKey({ in: 'header', name: 'A' })) }, () => 1)
    app.get('/b', { uses: uses(apiKey({ in: 'header', name: 'B' })) }, () => 1)
    app.get('/c', { uses: uses(apiKey({ in: 'header', name: 'A' })) }, () => 1)
    assert.deepEqual(Object.keys(documented(app).schemes!), ['APIKeyHeader', 'APIKeyHeader2'])
    assert.deepEqual(documented(app).at('/c').security, [{ APIKeyHeader: [] }])
    app.get('/d', { uses: uses(apiKey({ in: 'header', name: 'C', schemeName: 'APIKeyHeader' })) }, () => 1)
    assert.throws(
      () => app.openapi(),
      (error: UsageError) => error.code === 'APP_COMPONENT_CLASH' && /GET \/a.*GET \/d/.test(error.message),
    )
  })

  for (const errorFormat of ['problem', 'fastapi'] as const)
    test(`passes swagger-parser and Redocly's rules (errorFormat ${errorFormat})`, async () => {
      const app = new App({
        errorFormat,
        license: { name: 'MIT', identifier: 'MIT' },
        servers: [{ url: 'https://a.example' }],
      })
      const user = dependency({ security: oauth2Password({ tokenUrl: '/token', scopes }) }, () => 1)
      const answers = { returns: { 200: TokenAnswer, 400: TokenRefusal } }
      app.post('/token', { form: passwordForm, ...answers }, ({ form }) => ({
        access_token: form.username,
        token_type: 'bearer',
      }))
      app.get('/me', { uses: { user: requireScopes(user, 'me') } }, () => 1)
      app.get('/either', { uses: uses(optional(either(bearer(), basic()))) }, () => 1)
      app.get(
        '/oidc',
        { uses: uses(openIdConnect({ url: 'https://a.example/.well-known/openid-configuration' })) },
        () => 1,
      )
      const folder = await mkdtemp(join(tmpdir(), 'millrace-security-'))
      try {
        const file = join(folder, 'openapi.json')
        await writeFile(file, JSON.stringify(app.openapi()))
        assert.deepEqual(await lint(file), [])
        await SwaggerParser.validate(structuredClone(app.openapi()) as never)
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    })
})
