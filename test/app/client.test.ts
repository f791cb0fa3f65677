// Who asks, as user code sees it.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { App, dependency, type Middleware } from 'millrace'
import { serve } from 'millrace/server'
import { onEachSeam } from './support/seams.ts'

function seenBy(): App {
  const app = new App({ title: 'Client', version: '1' })
  const mark: Middleware = async (context, next) => {
    const answer = await next()
    answer.headers.set('x-middleware', context.client.address)
  }
  const address = dependency(({ client }) => client.address)
  app.get('/', { uses: { address }, use: [mark] }, ({ address, client, request }) => ({
    address,
    client: { ...client },
    url: request.url,
  }))
  return app
}

describe('the client', () => {
  onEachSeam('has no address where there is no socket', seenBy, async (ask, _app, seam) => {
    const answer = await ask('/')
    const { client } = (await answer.json()) as { client: { port: number } }
    const known = seam === 'node' ? { address: '127.0.0.1', port: client.port } : { address: '', port: 0 }
    assert.deepEqual(client, { ...known, encrypted: false })
  })

  test('is the other end of the connection, or whom a trusted proxy names, for handler, dependency and middleware alike', async () => {
    for (const [trustedProxies, address, scheme] of [
      ['none', '127.0.0.1', 'http'],
      ['loopback', '2001:db8::7', 'https'],
    ] as const) {
      const server = await serve(seenBy(), { host: '127.0.0.1', port: 0, signals: false, trustedProxies })
      const answer = await fetch(server.url, {
        headers: {
          'x-forwarded-for': '6.6.6.6, 2001:db8::7',
          'x-forwarded-proto': 'https',
          'x-forwarded-host': 'evil',
          connection: 'close',
        },
      })
      const body = (await answer.json()) as { address: string; client: { address: string }; url: string }
      assert.equal(body.client.address, address)
      assert.equal(body.address, address)
      assert.equal(answer.headers.get('x-middleware'), address)
      assert.equal(body.url, `${scheme}://127.0.0.1:${server.port}/`)
      await server.close()
    }
  })
})
