import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { App } from 'millrace'
import { trustedHosts, type TrustedHostsOptions } from 'millrace/middleware'
import { get, overSocket } from '../support/over-tcp.ts'
import { onEachSeam, silent } from '../support/seams.ts'

function appWith(options: TrustedHostsOptions): App {
  const app = new App({ log: silent, use: [trustedHosts(options)] })
  app.get('/a', () => 1)
  return app
}
const ask = (app: App, url: string) => app.fetch(new Request(url))

describe('trustedHosts()', () => {
  test('serves the hosts it names and all below a wildcard, whatever their port and case', async () => {
    const app = appWith({ hosts: ['shop.example', '*.api.example', '[::1]'] })
    for (const host of ['shop.example', 'SHOP.example:8000', 'a.api.example', 'a.b.api.example:1', '[::1]:8000'])
      assert.equal((await ask(app, `http://${host}/a`)).status, 200, host)
  })

  test('refuses others with a 400: the name that a wildcard is below, and names that only look alike', async () => {
    const app = appWith({ hosts: ['shop.example', '*.api.example'] })
    for (const host of [
      'evil.example',
      'api.example',
      'evilapi.example',
      'shop.example.evil.example',
      'x.shop.example',
    ]) {
      const answer = await ask(app, `http://${host}/a`)
      assert.equal(answer.status, 400, host)
      assert.equal(answer.headers.get('content-type'), 'application/problem+json')
      assert.equal((await ask(app, `http://${host}/nowhere`)).status, 400, `${host}, no route`)
    }
  })

  test('refuses with 421 where told to, and sends to the www name where that is ours', async () => {
    assert.equal((await ask(appWith({ hosts: ['shop.example'], status: 421 }), 'http://other.example/a')).status, 421)
    const app = appWith({ hosts: ['www.shop.example'], wwwRedirect: true })
    const answer = await ask(app, 'http://shop.example:8000/a%20b?c=%20d')
    assert.equal(answer.status, 307)
    assert.equal(answer.headers.get('location'), 'http://www.shop.example:8000/a%20b?c=%20d')
    assert.equal((await ask(app, 'http://other.example/a')).status, 400)
  })

  test('goes by the authority of an absolute target, not by Host', async () => {
    await overSocket(appWith({ hosts: ['a'] }), async client => {
      client.write(get('http://evil.example/a'))
      await client.until(({ text }) => text.includes('\r\n\r\n'))
      assert.match(client.text, /^HTTP\/1\.1 400 /)
    })
  })

  onEachSeam(
    'around one route refuses for that route alone',
    () => {
      const app = new App({ log: silent })
      app.get('/a', { use: [trustedHosts({ hosts: ['elsewhere.example'] })] }, () => 1)
      app.get('/b', () => 1)
      return app
    },
    async ask => {
      assert.equal((await ask('/a')).status, 400)
      assert.equal((await ask('/b')).status, 200)
    },
  )

  test('refuses, at start, a list without hosts and what is no name of one', () => {
    for (const hosts of [[], ['https://shop.example'], ['shop.example:80'], ['*'], ['a.*'], [''], ['a/b']])
      assert.throws(() => trustedHosts({ hosts }), { code: 'TRUSTED_HOSTS_BAD_OPTIONS' }, hosts.join())
    assert.throws(() => trustedHosts({ hosts: ['a'], status: 403 as 400 }), { code: 'TRUSTED_HOSTS_BAD_OPTIONS' })
  })
})
