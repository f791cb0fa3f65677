import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { App } from '../../src/app/app.ts'
import { host } from '../../src/core/host.ts'
import { SettingsError, StartError } from '../../src/server/errors.ts'
import { serve } from '../../src/server/serve.ts'

const local = { host: '127.0.0.1', port: 0, signals: false, keepAliveTimeout: 100, logLevel: 'error' } as const

describe('serve, from code', () => {
  test('answers on a free port and gives it back', async () => {
    const app = new App()
    app.get('/', async () => ({ message: 'hello' }))
    const server = await serve(app, local)
    assert.equal(server.url, `http://127.0.0.1:${server.port}`)
    const answer = await fetch(server.url)
    assert.deepEqual(await answer.json(), { message: 'hello' })
    await server.close()
    await assert.rejects(fetch(server.url))
  })

  test('close finishes what is being answered, then the app, then what registered with the host, once', async () => {
    const order: string[] = []
    const asked = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    const app = new App({
      async *lifespan() {
        host().onDrain('store', () => void order.push('store drained'))
        yield
        order.push('app stopped')
      },
    })
    app.get('/', async () => {
      asked.resolve()
      await release.promise
      order.push('answered')
      return 'done'
    })
    const server = await serve(app, local)
    const answer = fetch(server.url)
    await asked.promise
    const closed = Promise.all([server.close(), server.close()])
    await sleep(20)
    assert.deepEqual(order, [])
    release.resolve()
    assert.equal((await answer).status, 200)
    await closed
    assert.deepEqual(order, ['answered', 'app stopped', 'store drained'])
  })

  test('an app that does not stop holds nobody up longer than the grace time and a second', async () => {
    const app = new App({
      async *lifespan() {
        yield
        await new Promise(() => {})
      },
    })
    const server = await serve(app, { ...local, graceTimeout: 10 })
    await server.close()
  })

  test('a bad option, an unknown one, and a busy port are refused', async () => {
    const app = new App()
    await assert.rejects(serve(app, { ...local, maxBody: 'big' }), (error: unknown) => {
      assert.ok(error instanceof SettingsError)
      assert.match(error.message, /^maxBody in serve\(app, options\) is "big"; expected a size/)
      return true
    })
    await assert.rejects(serve(app, { ...local, maxBdy: 1 } as object), /holds maxBdy.*did you mean maxBody\?/)
    for (const name of ['workers', 'hooks', 'config', 'dotenv', 'rebalance'])
      await assert.rejects(serve(app, { ...local, [name]: 'x' }), {
        code: 'SETTINGS_UNKNOWN',
        message: new RegExp(`holds ${name}, which does nothing in one process alone`),
      })
    const other = net.createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as net.AddressInfo
    let isStopped = false
    const started = new App({
      async *lifespan() {
        yield
        isStopped = true
      },
    })
    await assert.rejects(serve(started, { ...local, port }), (error: unknown) => {
      assert.ok(error instanceof StartError)
      return error.code === 'LISTEN_BUSY'
    })
    assert.ok(isStopped)
    other.close()
  })

  test("a limit given as a setting is the engine's", async () => {
    const app = new App({ server: { maxTarget: 100 } })
    app.get('/', async () => 'short')
    const server = await serve(app, local)
    assert.equal((await fetch(`${server.url}/?${'x'.repeat(200)}`)).status, 414)
    await server.close()
  })
})
