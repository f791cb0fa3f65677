import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { App, dependency } from 'millrace'
import { get, overSocket } from './support/over-tcp.ts'
import { onEachSeam, silent } from './support/seams.ts'

const make = () => {
  const app = new App({ log: silent })
  const theme = dependency(({ earlyHints }) => {
    earlyHints({ link: '</theme.css>; rel=preload; as=style' })
    return 'dark'
  })
  app.get('/page', { uses: { theme } }, async ({ earlyHints, theme }) => {
    earlyHints({ link: ['</app.css>; rel=preload; as=style', '</app.js>; rel=preload; as=script'] })
    earlyHints({})
    return { theme }
  })
  app.get('/bad', ({ earlyHints }) => earlyHints({ link: 'a\r\nset-cookie: b' }))
  return app
}

describe('earlyHints', () => {
  onEachSeam('the answer is the same with them, and a field that may not be sent is a 500', make, async ask => {
    assert.deepEqual(await (await ask('/page')).json(), { theme: 'dark' })
    const bad = await ask('/bad')
    assert.deepEqual([bad.status, bad.headers.get('set-cookie')], [500, null])
  })

  test('go out before the answer, one line for each value, and not to HTTP/1.0', async () => {
    await overSocket(make(), async client => {
      const [answer] = await client.write(get('/page')).answers(1)
      assert.deepEqual(answer!.interim, [103, 103])
      const start =
        'HTTP/1.1 103 Early Hints\r\nlink: </theme.css>; rel=preload; as=style\r\n\r\n' +
        'HTTP/1.1 103 Early Hints\r\nlink: </app.css>; rel=preload; as=style\r\nlink: </app.js>; rel=preload; as=script\r\n\r\n' +
        'HTTP/1.1 200 OK\r\n'
      assert.ok(client.text.startsWith(start), client.text)
      const before = client.text.length
      await client.write('GET /page HTTP/1.0\r\nHost: a\r\n\r\n').ended()
      assert.ok(client.text.slice(before).startsWith('HTTP/1.1 200 OK\r\n'))
    })
  })
})
