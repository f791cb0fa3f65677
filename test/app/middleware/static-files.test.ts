import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { brotliCompressSync, gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { App, type Middleware, Router } from 'millrace'
import { compress, secureHeaders, staticFiles, type StaticFilesOptions } from 'millrace/middleware'
import { get, overSocket } from '../support/over-tcp.ts'
import { type Ask, onEachSeam, silent } from '../support/seams.ts'

const MODIFIED = new Date('2026-01-02T03:04:05Z')
const SCRIPT = 'console.log("a script")\n'.repeat(100)
const HTML = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }

let outer: string
let root: string
const at = (path: string) => join(root, path)

function put(path: string, content: string | Uint8Array, modified = MODIFIED): void {
  mkdirSync(dirname(at(path)), { recursive: true })
  writeFileSync(at(path), content)
  utimesSync(at(path), modified, modified)
}

before(() => {
  outer = mkdtempSync(join(tmpdir(), 'millrace-static-'))
  root = join(outer, 'public')
  put('index.html', '<h1>index</h1>')
  put('app.js', SCRIPT)
  put('app.js.br', brotliCompressSync(SCRIPT))
  put('app.js.gz', gzipSync(SCRIPT))
  put('app.js.zst', zstdCompressSync(SCRIPT))
  put('only-gzip.css', 'a{}'.repeat(50))
  put('only-gzip.css.gz', gzipSync('a{}'.repeat(50)))
  put('stale.css', 'new')
  put('stale.css.br', brotliCompressSync('old'), new Date(MODIFIED.getTime() - 60_000))
  put('photo.png', 'png')
  put('photo.png.gz', gzipSync('png'))
  put('docs/index.html', '<h1>docs</h1>')
  put('docs/a b&c.txt', 'a b&c')
  put('empty/file.txt', 'x')
  put('.env', 'SECRET=1')
  put('docs/.git/config', 'secret')
  put('.well-known/security.txt', 'Contact: a')
  put('../secret.txt', 'secret')
  put('../public-too/secret.txt', 'secret')
  put('../spa/index.html', '<div id="app">')
  put('../spa/main.js', 'main')
  put('../spa404/index.html', '<div id="app">')
  put('../spa404/404.html', 'not here')
  symlinkSync(join(outer, 'secret.txt'), at('out.txt'))
  symlinkSync(outer, at('up'))
  symlinkSync('app.js', at('in.js'))
  put('linked.css', 'b{}'.repeat(50))
  symlinkSync(join(outer, 'secret.txt'), at('linked.css.br'))
})
after(() => rmSync(outer, { recursive: true, force: true }))

function appWith(options: Partial<StaticFilesOptions> = {}): App {
  const app = new App({ log: silent, docs: false })
  app.use(staticFiles({ directory: root, ...options }))
  app.get('/api/a', () => 'api')
  app.post('/api/b', () => 1)
  app.get('/slash/', () => 1)
  return app
}
async function textOf(ask: Ask, path: `/${string}`, headers: Record<string, string> = {}): Promise<string> {
  const answer = await ask(path, { headers })
  return `${answer.status} ${answer.status === 200 ? await answer.text() : ''}`.trim()
}

describe('staticFiles()', () => {
  onEachSeam(
    'sends a file with type, tag and date, 304 to who has it, and a part',
    () => appWith(),
    async ask => {
      const answer = await ask('/app.js')
      assert.equal(answer.status, 200)
      assert.equal(answer.headers.get('content-type'), 'text/javascript; charset=utf-8')
      assert.equal(answer.headers.get('last-modified'), MODIFIED.toUTCString())
      assert.equal(answer.headers.get('cache-control'), null)
      assert.equal(await answer.text(), SCRIPT)
      const etag = answer.headers.get('etag')!
      for (const headers of [
        { 'if-none-match': etag },
        { 'if-none-match': `"other", W/${etag}` },
        { 'if-none-match': '*' },
        { 'if-modified-since': MODIFIED.toUTCString() },
      ] as Record<string, string>[])
        assert.equal((await ask('/app.js', { headers })).status, 304)
      const part = await ask('/app.js', { headers: { range: 'bytes=0-6' } })
      assert.equal(part.status, 206)
      assert.equal(await part.text(), 'console')
      assert.equal((await ask('/app.js', { headers: { 'if-match': '"other"' } })).status, 412)
      const head = await ask('/app.js', { method: 'HEAD' })
      assert.equal(head.headers.get('content-length'), String(SCRIPT.length))
      assert.equal(head.headers.get('etag'), etag)
    },
  )

  onEachSeam(
    'is below everything that the app answers itself',
    () => appWith({ fallback: 'index.html' }),
    async ask => {
      assert.equal(await (await ask('/api/a')).json(), 'api')
      const other = await ask('/api/b', { headers: HTML })
      assert.equal(other.status, 405)
      assert.equal(other.headers.get('allow'), 'OPTIONS, POST')
      const slash = await ask('/slash', { headers: HTML, redirect: 'manual' })
      assert.equal(slash.status, 307)
      assert.equal(slash.headers.get('location'), '/slash/')
    },
  )

  onEachSeam(
    'sends the index of a folder, and redirects to its slash, query kept',
    () => appWith(),
    async ask => {
      assert.equal(await textOf(ask, '/'), '200 <h1>index</h1>')
      assert.equal(await textOf(ask, '/docs/'), '200 <h1>docs</h1>')
      assert.equal((await ask('/docs/')).headers.get('cache-control'), 'no-cache')
      const answer = await ask('/docs?a=%20', { redirect: 'manual' })
      assert.equal(answer.status, 307)
      assert.equal(answer.headers.get('location'), './docs/?a=%20')
      for (const path of [
        '/empty',
        '/empty/',
        '/app.js/',
        '/docs//index.html',
        '//docs/',
        '/docs/index.html/',
      ] as const)
        assert.equal((await ask(path)).status, 404, path)
      assert.equal(await textOf(ask, '/docs/a%20b%26c.txt'), '200 a b&c')
    },
  )

  onEachSeam(
    'does without an index where told to',
    () => appWith({ index: false }),
    async ask => {
      for (const path of ['/', '/docs/', '/docs'] as const) assert.equal((await ask(path)).status, 404, path)
      assert.equal(await textOf(ask, '/docs/index.html'), '200 <h1>docs</h1>')
    },
  )

  onEachSeam(
    'is a 405 for another method on a file, and a 404 where there is none',
    () => appWith(),
    async ask => {
      for (const path of ['/app.js', '/docs/'] as const)
        for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
          const answer = await ask(path, { method })
          assert.equal(answer.status, 405)
          assert.equal(answer.headers.get('allow'), 'GET, HEAD, OPTIONS')
          assert.equal(answer.headers.get('content-type'), 'application/problem+json')
        }
      const options = await ask('/app.js', { method: 'OPTIONS' })
      assert.equal(options.status, 204)
      assert.equal(options.headers.get('allow'), 'GET, HEAD, OPTIONS')
      for (const path of ['/nowhere', '/docs', '/empty/', '/.env'] as const)
        assert.equal((await ask(path, { method: 'POST' })).status, 404, path)
    },
  )

  onEachSeam(
    'has no file with a dot before its name, but for /.well-known/',
    () => appWith(),
    async ask => {
      for (const path of ['/.env', '/docs/.git/config', '/docs/.git/'] as const)
        assert.equal((await ask(path)).status, 404, path)
      assert.equal(await textOf(ask, '/.well-known/security.txt'), '200 Contact: a')
    },
  )

  onEachSeam(
    'has them where told to',
    () => appWith({ dotFiles: 'allow' }),
    async ask => {
      assert.equal(await textOf(ask, '/.env'), '200 SECRET=1')
      assert.equal(await textOf(ask, '/docs/.git/config'), '200 secret')
    },
  )

  test('gives nothing outside of its folder: by dots, escapes, NUL, links or a longer name', async () => {
    const targets = [
      '/../secret.txt',
      '/docs/../../secret.txt',
      '/%2e%2e/secret.txt',
      '/.%2e/secret.txt',
      '/..%2fsecret.txt',
      '/%2e%2e%2fsecret.txt',
      '/..%5csecret.txt',
      '/..\\secret.txt',
      '/%252e%252e/secret.txt',
      '/..%c0%afsecret.txt',
      '/app.js%00.txt',
      '/../public-too/secret.txt',
      '/out.txt',
      '/up/secret.txt',
      '/up/public/app.js/../../secret.txt',
      `/${encodeURIComponent(join(outer, 'secret.txt'))}`,
      `/${join(outer, 'secret.txt')}`,
      '/linked.css.br',
    ]
    for (const target of targets)
      await overSocket(appWith({ fallback: 'auto', dotFiles: 'allow' }), async client => {
        client.write(get(target))
        await client.until(({ text }) => text.includes('\r\n\r\n'))
        assert.match(client.text, /^HTTP\/1\.1 40[04] /, target)
        assert.doesNotMatch(client.text, /\nsecret/, target)
      })
  })

  onEachSeam(
    'follows links that stay inside, and others where told to',
    () => appWith({ followLinks: true }),
    async ask => {
      assert.equal(await textOf(ask, '/in.js'), `200 ${SCRIPT}`.trim())
      assert.equal(await textOf(ask, '/out.txt'), '200 secret')
      assert.equal(await textOf(ask, '/up/secret.txt'), '200 secret')
    },
  )

  test('sends the variant that the client likes best, as its weights say', async () => {
    const app = appWith()
    const codingOf = async (accepts: string, path = '/app.js') => {
      const answer = await app.fetch(new Request(`http://a${path}`, { headers: { 'accept-encoding': accepts } }))
      assert.equal(answer.status, 200)
      return answer.headers.get('content-encoding')
    }
    for (const [accepts, coding] of [
      ['gzip, deflate, br, zstd', 'br'],
      ['br;q=1, gzip;q=0.8', 'br'],
      ['br;q=0.5, gzip;q=0.8', 'gzip'],
      ['zstd, gzip', 'zstd'],
      ['gzip;q=0, *', 'br'],
      ['identity, br;q=0.5', null],
      ['deflate', null],
      ['', null],
    ] as const)
      assert.equal(await codingOf(accepts), coding, accepts)
    assert.equal(await codingOf('br, gzip;q=0.1', '/only-gzip.css'), 'gzip')
    assert.equal(await codingOf('br, gzip', '/stale.css'), null, 'made before the file was changed')
    assert.equal(await codingOf('gzip', '/photo.png'), null, 'would not become smaller')
    assert.equal(await codingOf('br', '/linked.css'), null, 'a link out of the folder')
  })

  onEachSeam(
    'tells variants apart by tag, and says that it varies',
    () => appWith(),
    async (ask, _app, seam) => {
      const plain = await ask('/app.js', { headers: { 'accept-encoding': 'identity' } })
      const gzip = await ask('/app.js', { headers: { 'accept-encoding': 'gzip' } })
      assert.equal(plain.headers.get('vary'), 'Accept-Encoding')
      assert.equal(gzip.headers.get('vary'), 'Accept-Encoding')
      assert.equal(gzip.headers.get('content-type'), 'text/javascript; charset=utf-8')
      const [etag, plainTag] = [gzip.headers.get('etag')!, plain.headers.get('etag')!]
      assert.notEqual(etag, plainTag)
      assert.match(etag, /^"[^"]+-gzip"$/)
      const known = await ask('/app.js', { headers: { 'accept-encoding': 'gzip', 'if-none-match': etag } })
      assert.equal(known.status, 304)
      assert.equal(known.headers.get('vary'), 'Accept-Encoding')
      const other = await ask('/app.js', { headers: { 'accept-encoding': 'gzip', 'if-none-match': plainTag } })
      assert.equal(other.status, 200)
      assert.equal((await ask('/photo.png')).headers.get('vary'), null)
      // The others ask as a client that decodes.
      if (seam === 'fetch') assert.equal(gunzipSync(await gzip.arrayBuffer()).toString(), SCRIPT)
    },
  )

  test('a part of a variant is a part of its bytes', async () => {
    const app = appWith()
    const headers = { 'accept-encoding': 'gzip', range: 'bytes=2-9' }
    const answer = await app.fetch(new Request('http://a/app.js', { headers }))
    assert.equal(answer.status, 206)
    assert.deepEqual(Buffer.from(await answer.arrayBuffer()), gzipSync(SCRIPT).subarray(2, 10))
  })

  test('is compressed no second time, and where it has no variant, by compress() around it', async () => {
    const app = new App({ log: silent, use: [compress({ thresholdBytes: 10 }), staticFiles({ directory: root })] })
    const ask = (path: string) => app.fetch(new Request(`http://a${path}`, { headers: { 'accept-encoding': 'gzip' } }))
    const variant = await ask('/app.js')
    assert.equal(variant.headers.get('content-encoding'), 'gzip')
    assert.equal(variant.headers.get('vary'), 'Accept-Encoding')
    assert.equal(gunzipSync(await variant.arrayBuffer()).toString(), SCRIPT)
    const made = await ask('/linked.css')
    assert.equal(made.headers.get('content-encoding'), 'gzip')
    assert.match(made.headers.get('etag')!, /^W\//)
    assert.equal(gunzipSync(await made.arrayBuffer()).toString(), 'b{}'.repeat(50))
  })

  onEachSeam(
    'follows the disk: what is replaced or removed is so in the next answer',
    () => appWith(),
    async ask => {
      put('changing.txt', 'one')
      assert.equal(await textOf(ask, '/changing.txt'), '200 one')
      put('changing.txt', 'two', new Date(MODIFIED.getTime() + 5000))
      assert.equal(await textOf(ask, '/changing.txt'), '200 two')
      unlinkSync(at('changing.txt'))
      assert.equal(await textOf(ask, '/changing.txt'), '404')
    },
  )

  onEachSeam(
    'says how long it may be kept, by file',
    () => appWith({ cacheControl: path => (path.endsWith('.js') ? 'public, max-age=31536000, immutable' : undefined) }),
    async ask => {
      const answer = await ask('/app.js')
      assert.equal(answer.headers.get('cache-control'), 'public, max-age=31536000, immutable')
      assert.equal((await ask('/')).headers.get('cache-control'), null)
      const headers = { 'if-none-match': answer.headers.get('etag')! }
      assert.match((await ask('/app.js', { headers })).headers.get('cache-control')!, /immutable/)
    },
  )
})

describe('the fallback of a frontend', () => {
  const spa =
    (options: Partial<StaticFilesOptions>, folder = 'spa') =>
    () => {
      const app = new App({ log: silent })
      app.use(staticFiles({ directory: pathToFileURL(join(outer, folder)), ...options }))
      app.get('/api/a', () => 1)
      return app
    }

  onEachSeam(
    'is the index for who opens a page, and a 404 for everybody else',
    spa({ fallback: 'auto' }),
    async ask => {
      for (const accept of [HTML.accept, 'text/html', 'application/xhtml+xml;q=0.1', 'a/b, TEXT/HTML;level=1']) {
        const answer = await ask('/orders/7', { headers: { accept } })
        assert.equal(answer.status, 200, accept)
        assert.equal(answer.headers.get('content-type'), 'text/html; charset=utf-8')
        assert.equal(answer.headers.get('cache-control'), 'no-cache')
        assert.equal(await answer.text(), '<div id="app">')
      }
      for (const accept of ['*/*', 'application/json', 'text/*', 'text/html;q=0', 'text/html;q=0.0, */*']) {
        const answer = await ask('/orders/7', { headers: { accept } })
        assert.equal(answer.status, 404, accept)
        assert.equal(answer.headers.get('content-type'), 'application/problem+json')
      }
      assert.equal((await ask('/orders/7', { method: 'HEAD', headers: HTML })).status, 200)
      assert.equal((await ask('/orders/7', { method: 'POST', headers: HTML })).status, 404)
      assert.equal(await textOf(ask, '/main.js', HTML), '200 main')
      assert.equal(await textOf(ask, '/.hidden', HTML), '200 <div id="app">')
    },
  )

  onEachSeam('is 404.html with its status where there is one', spa({ fallback: 'auto' }, 'spa404'), async ask => {
    const answer = await ask('/orders/7', { headers: HTML })
    assert.equal(answer.status, 404)
    assert.equal(await answer.text(), 'not here')
    assert.equal((await ask('/orders/7')).headers.get('content-type'), 'application/problem+json')
  })

  onEachSeam('is none by default', spa({}), async ask => {
    assert.equal((await ask('/orders/7', { headers: HTML })).status, 404)
  })
})

describe('several folders', () => {
  const make = (order: (all: Middleware[]) => Middleware[]) => () => {
    const app = new App({ log: silent, docs: false })
    const all = [
      staticFiles({ directory: join(outer, 'spa'), fallback: 'index.html' }),
      staticFiles({ directory: root, path: '/docs' }),
      staticFiles({ directory: join(outer, 'spa404'), path: '/docs/old', fallback: '404.html' }),
    ]
    return app.use(...order(all))
  }
  for (const [name, order] of [
    ['as declared', (all: Middleware[]) => all],
    ['in reverse', (all: Middleware[]) => all.reverse()],
  ] as const)
    onEachSeam(`the longest path wins, ${name}`, make(order), async ask => {
      assert.equal(await textOf(ask, '/main.js'), '200 main')
      assert.equal(await textOf(ask, '/docs/app.js'), `200 ${SCRIPT}`.trim())
      assert.equal(await textOf(ask, '/docs/nowhere', HTML), '404')
      assert.equal(await textOf(ask, '/docsy', HTML), '200 <div id="app">')
      assert.equal(await (await ask('/docs/old/nowhere', { headers: HTML })).text(), 'not here')
      const answer = await ask('/docs', { redirect: 'manual' })
      assert.equal(answer.headers.get('location'), './docs/')
    })

  onEachSeam(
    'of one path are one above the other',
    () => {
      const app = new App({ log: silent })
      return app.use(staticFiles({ directory: root }), staticFiles({ directory: join(outer, 'spa') }))
    },
    async ask => {
      assert.equal(await textOf(ask, '/main.js'), '200 main')
      assert.equal(await textOf(ask, '/app.js'), `200 ${SCRIPT}`.trim())
      assert.equal(await textOf(ask, '/'), '200 <div id="app">')
    },
  )

  onEachSeam(
    'on a router are behind its middleware',
    () => {
      const app = new App({ log: silent })
      const guard: Middleware = ({ headers }, next) =>
        headers.has('x-key') ? next() : new Response(null, { status: 401 })
      const use = [guard, secureHeaders(), staticFiles({ directory: root, path: '/admin' })]
      return app.include(new Router({ prefix: '/admin', use }))
    },
    async ask => {
      assert.equal((await ask('/admin/app.js')).status, 401)
      const answer = await ask('/admin/app.js', { headers: { 'x-key': 'a' } })
      assert.equal(await answer.text(), SCRIPT)
      assert.equal(answer.headers.get('x-content-type-options'), 'nosniff')
      assert.equal((await ask('/app.js', { headers: { 'x-key': 'a' } })).status, 404)
    },
  )
})

describe('a folder', () => {
  test('that is not there stops the start, except in development', () => {
    const directory = join(tmpdir(), 'millrace-not-there')
    assert.throws(() => staticFiles({ directory }), { code: 'STATIC_FILES_NO_DIRECTORY', message: /not-there/ })
    assert.throws(() => staticFiles({ directory: join(root, 'app.js') }), { code: 'STATIC_FILES_NO_DIRECTORY' })
    staticFiles({ directory, checkDirectory: false })
    const before = process.env['NODE_ENV']
    process.env['NODE_ENV'] = 'development'
    try {
      staticFiles({ directory })
      assert.throws(() => staticFiles({ directory, checkDirectory: true }), { code: 'STATIC_FILES_NO_DIRECTORY' })
    } finally {
      if (before === undefined) delete process.env['NODE_ENV']
      else process.env['NODE_ENV'] = before
    }
  })

  test('is served at a path, not at a prefix with a slash', () => {
    for (const path of ['assets', '/assets/', ''])
      assert.throws(() => staticFiles({ directory: root, path }), { code: 'STATIC_FILES_BAD_OPTIONS' })
  })

  test('is nothing for a route to have around it', async () => {
    const app = new App()
    app.get('/a', { use: [staticFiles({ directory: root })] }, () => 1)
    await assert.rejects(app.start(), { code: 'APP_UNROUTED_ONLY' })
  })
})
