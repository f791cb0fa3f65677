import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import * as z from 'zod'
import { App, file } from 'millrace'
import { compress } from 'millrace/middleware'
import { testClient } from 'millrace/testing'
import { get, overSocket } from './support/over-tcp.ts'
import { onEachSeam, silent } from './support/seams.ts'

const MODIFIED = new Date('2026-01-02T03:04:05.678Z')
const MODIFIED_FIELD = 'Fri, 02 Jan 2026 03:04:05 GMT'
// More than the engine, the kernel and the client's end hold together, where it must not all be read.
const LARGE = 24 * 1024 * 1024

let outer: string
let root: string

before(() => {
  outer = mkdtempSync(join(tmpdir(), 'millrace-file-'))
  root = join(outer, 'public')
  mkdirSync(join(root, 'sub'), { recursive: true })
  mkdirSync(join(outer, 'public-not'))
  const put = (path: string, content: string | Uint8Array) => {
    writeFileSync(join(outer, path), content)
    utimesSync(join(outer, path), MODIFIED, MODIFIED)
  }
  put('public/hello.txt', 'Hello, 24 bytes of text.')
  put('public/empty.txt', '')
  put('public/grüße.html', '<p>')
  put('public/sub/data.json', '{}')
  put('public/noextension', 'x')
  put('public/large.bin', pattern(LARGE))
  put('secret.txt', 'secret')
  put('public-not/secret.txt', 'secret')
  symlinkSync(join(outer, 'secret.txt'), join(root, 'out.txt'))
  symlinkSync('hello.txt', join(root, 'in.txt'))
  symlinkSync(outer, join(root, 'up'))
  symlinkSync(root, join(outer, 'current'))
  symlinkSync('loop', join(root, 'loop'))
  if (process.platform !== 'win32') execFileSync('mkfifo', [join(root, 'pipe')])
})
after(() => rmSync(outer, { recursive: true, force: true }))

/** Bytes that are different at every place where a part could be mistaken for another. */
function pattern(size: number): Buffer {
  const bytes = Buffer.alloc(size)
  for (let n = 0; n + 4 <= size; n += 4) bytes.writeUInt32LE(n, n)
  return bytes
}

/** Descriptors of this process into the test's folder. */
function openNow(): readonly string[] {
  const targets = readdirSync('/proc/self/fd').map(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return ''
    }
  })
  return targets.filter(target => target.startsWith(outer))
}

const countsDescriptors = { skip: process.platform === 'linux' ? false : 'only Linux has /proc/self/fd' }

async function nothingOpen(): Promise<void> {
  // Closing is a job of the thread pool; there is nothing else to wait for.
  while (openNow().length > 0) await new Promise(resolve => setTimeout(resolve, 5))
}

const make = () => {
  const app = new App({ log: silent })
  const serve = ({ params }: { params: { readonly path: string } }) => file(params.path, { root })
  app.get('/in/{path*}', serve)
  app.post('/in/{path*}', serve)
  app.get('/current/{path*}', ({ params }) => file(params.path, { root: join(outer, 'current') }))
  app.get('/raw', { query: z.object({ path: z.string() }) }, ({ query }) => file(query.path, { root }))
  app.get('/absolute', { returns: z.object({ id: z.int() }) }, async () => file(join(root, 'hello.txt')))
  app.get('/url', () => file(pathToFileURL(join(root, 'hello.txt')), { root: undefined as never }))
  app.get('/missing', { returns: z.object({ id: z.int() }) }, () => file(join(outer, 'missing')))
  app.get('/dressed', () =>
    file('sub/data.json', {
      root: pathToFileURL(root),
      type: 'application/problem+json',
      download: 'Übersicht.json',
      cacheControl: 'public, max-age=60',
      headers: { 'x-a': 'b' },
      cookies: { c: 'd' },
    }),
  )
  app.get('/download', () => file('hello.txt', { root, download: true }))
  app.get('/tag', () => file('hello.txt', { root, etag: '"own"' }))
  app.get('/untagged', () => file('hello.txt', { root, etag: false }))
  app.get('/page', () => file('hello.txt', { root, status: 404 }))
  app.get('/cached', { cache: { ttl: '1m' } }, () => file('large.bin', { root }))
  return app
}

describe('file()', () => {
  onEachSeam('sends a file with type, length, tag and date', make, async ask => {
    const answer = await ask('/in/hello.txt')
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('content-type'), 'text/plain; charset=utf-8')
    assert.equal(answer.headers.get('content-length'), '24')
    assert.equal(answer.headers.get('last-modified'), MODIFIED_FIELD)
    assert.match(answer.headers.get('etag')!, /^"18-[\da-f]+"$/)
    assert.equal(answer.headers.get('accept-ranges'), 'bytes')
    assert.equal(answer.headers.get('cache-control'), null)
    assert.equal(answer.headers.get('content-disposition'), null)
    assert.equal(await answer.text(), 'Hello, 24 bytes of text.')
    assert.equal(await (await ask('/in/empty.txt')).text(), '')
    assert.equal((await ask('/in/gr%C3%BC%C3%9Fe.html')).headers.get('content-type'), 'text/html; charset=utf-8')
    assert.equal((await ask('/in/sub/data.json')).headers.get('content-type'), 'application/json')
    assert.equal((await ask('/in/noextension')).headers.get('content-type'), 'application/octet-stream')
    for (const path of ['/absolute', '/url', '/in/in.txt', '/current/hello.txt', '/in/sub/../hello.txt'] as const)
      assert.equal(await (await ask(path)).text(), 'Hello, 24 bytes of text.', path)
  })

  onEachSeam('sends a large one in pieces, every byte of it', make, async ask => {
    const answer = await ask('/in/large.bin')
    assert.equal(answer.headers.get('content-length'), String(LARGE))
    const bytes = Buffer.from(await answer.arrayBuffer())
    assert.ok(bytes.equals(pattern(LARGE)))
  })

  onEachSeam('goes out dressed as it is told', make, async ask => {
    const answer = await ask('/dressed')
    assert.deepEqual(
      ['content-type', 'content-disposition', 'cache-control', 'x-a', 'set-cookie'].map(name =>
        answer.headers.get(name),
      ),
      [
        'application/problem+json',
        `attachment; filename="_bersicht.json"; filename*=UTF-8''%C3%9Cbersicht.json`,
        'public, max-age=60',
        'b',
        'c=d; Path=/; SameSite=Lax',
      ],
    )
    const own = await ask('/download')
    assert.equal(own.headers.get('content-disposition'), 'attachment; filename="hello.txt"')
    assert.equal((await ask('/tag')).headers.get('etag'), '"own"')
    assert.equal((await ask('/untagged')).headers.get('etag'), null)
  })

  test('what this process may not read is a 404 like what is not there, and a warning in the log', async () => {
    const warned: { err: { code?: string; message: string } }[] = []
    const app = new App({ log: { ...silent, warn: fact => void warned.push(fact as (typeof warned)[number]) } })
    app.get('/in/{name}', ({ params }) => file(params.name, { root: folder }))
    app.get('/fixed', () => file(join(folder, 'locked.txt')))
    const folder = mkdtempSync(join(tmpdir(), 'millrace-denied-'))
    writeFileSync(join(folder, 'locked.txt'), 'x')
    chmodSync(folder, 0o755)
    chmodSync(join(folder, 'locked.txt'), 0)
    // Root may read everything; its threads do the reading, so the whole process is somebody else for a moment.
    const isRoot = process.geteuid?.() === 0
    const as = async (id: number, ask: () => Promise<Response>) => {
      if (isRoot) process.seteuid!(id)
      try {
        return await ask()
      } finally {
        if (isRoot) process.seteuid!(0)
      }
    }
    const missing = await app.fetch(new Request('http://a/in/missing.txt'))
    for (const path of ['/in/locked.txt', '/fixed']) {
      const answer = await as(65_534, () => app.fetch(new Request(`http://a${path}`)))
      assert.equal(answer.status, 404, path)
      assert.deepEqual(await answer.json(), await missing.clone().json())
      const { err } = warned.pop()!
      assert.equal(err.code, 'APP_FILE_DENIED')
      assert.match(err.message, /EACCES.*locked\.txt/)
    }
    await app.close()
    rmSync(folder, { recursive: true })
  })

  onEachSeam('what is not there, or is no file, is a 404, however it is written', make, async ask => {
    for (const path of [
      '/missing',
      '/in/missing.txt',
      '/in/sub',
      '/in/sub/',
      '/in/hello.txt/',
      '/in/hello.txt/more',
      '/in/loop',
      '/in/pipe',
      `/in/${'x'.repeat(300)}`,
      '/raw?path=',
      '/raw?path=.',
      '/raw?path=hello.txt%00.png',
    ] as const) {
      const answer = await ask(path)
      assert.equal(answer.status, 404, path)
      assert.doesNotMatch(await answer.text(), /millrace-file/)
    }
  })

  onEachSeam('nothing outside of root can be had: by dots, by an absolute path, by a link', make, async ask => {
    for (const path of [
      '../secret.txt',
      '../public-not/secret.txt',
      'sub/../../secret.txt',
      '..',
      '/../secret.txt',
      '..\\secret.txt',
      join(outer, 'secret.txt'),
      pathToFileURL(join(outer, 'secret.txt')).href,
      'out.txt',
      'up/secret.txt',
      'up/public/../secret.txt',
    ]) {
      const answer = await ask(`/raw?path=${encodeURIComponent(path)}`)
      assert.equal(answer.status, 404, path)
      assert.doesNotMatch(await answer.text(), /^secret/)
    }
    // A link that leads out and in again is in.
    assert.equal((await ask(`/raw?path=${encodeURIComponent('up/public/hello.txt')}`)).status, 200)
  })

  onEachSeam('HEAD has the fields of GET and reads nothing', make, async ask => {
    for (const path of ['/in/hello.txt', '/in/large.bin'] as const) {
      const [head, whole] = [await ask(path, { method: 'HEAD' }), await ask(path)]
      const fields = (answer: Response) =>
        [...answer.headers].filter(([name]) => name !== 'date' && name !== 'connection').sort()
      assert.deepEqual(fields(head), fields(whole))
      assert.equal(await head.text(), '')
      await whole.body!.cancel()
    }
  })

  onEachSeam('a cached endpoint cannot return one', make, async ask => {
    assert.equal((await ask('/cached')).status, 500)
  })
})

describe('conditional requests for a file', () => {
  onEachSeam('who has it already gets a 304 with tag and date, and no body', make, async ask => {
    const etag = (await ask('/in/hello.txt')).headers.get('etag')!
    for (const headers of [
      { 'if-none-match': etag },
      { 'if-none-match': `"x", W/${etag}` },
      { 'if-none-match': '*' },
      { 'if-modified-since': MODIFIED_FIELD },
    ])
      for (const method of ['GET', 'HEAD']) {
        const answer = await ask('/in/hello.txt', { method, headers })
        assert.equal(answer.status, 304)
        assert.equal(answer.headers.get('etag'), etag)
        assert.equal(answer.headers.get('last-modified'), MODIFIED_FIELD)
        assert.equal(answer.headers.get('content-length'), null)
        assert.equal(answer.headers.get('content-type'), null)
        assert.equal(await answer.text(), '')
      }
    assert.equal((await ask('/tag', { headers: { 'if-none-match': '"own"' } })).status, 304)
    const dressed = (await ask('/dressed')).headers.get('etag')!
    const again = await ask('/dressed', { headers: { 'if-none-match': dressed } })
    assert.deepEqual(
      [again.status, again.headers.get('cache-control'), again.headers.get('content-disposition')],
      [304, 'public, max-age=60', null],
    )
  })

  onEachSeam('who wants another state gets a 412', make, async ask => {
    const etag = (await ask('/in/hello.txt')).headers.get('etag')!
    assert.equal((await ask('/in/hello.txt', { headers: { 'if-match': '"x"' } })).status, 412)
    assert.equal((await ask('/in/hello.txt', { headers: { 'if-match': etag } })).status, 200)
    const since = new Date(MODIFIED.getTime() - 1000).toUTCString()
    assert.equal((await ask('/in/hello.txt', { headers: { 'if-unmodified-since': since } })).status, 412)
  })

  onEachSeam('a file that changed a moment ago has a weak tag', make, async ask => {
    const path = join(root, 'young.txt')
    writeFileSync(path, 'young')
    const etag = (await ask('/in/young.txt')).headers.get('etag')!
    assert.match(etag, /^W\/"5-/)
    assert.equal((await ask('/in/young.txt', { headers: { 'if-none-match': etag } })).status, 304)
    const resumed = await ask('/in/young.txt', { headers: { range: 'bytes=1-', 'if-range': etag } })
    assert.equal(resumed.status, 200)
    utimesSync(path, MODIFIED, MODIFIED)
    assert.match((await ask('/in/young.txt')).headers.get('etag')!, /^"5-/)
  })

  onEachSeam('with another status, or for another method, nothing of it is looked at', make, async ask => {
    const page = await ask('/page', { headers: { 'if-none-match': '*', range: 'bytes=0-1' } })
    assert.deepEqual(
      [page.status, page.headers.get('accept-ranges'), await page.text()],
      [404, null, 'Hello, 24 bytes of text.'],
    )
    const posted = await ask('/in/hello.txt', { method: 'POST', headers: { range: 'bytes=0-1' } })
    assert.deepEqual([posted.status, (await posted.text()).length], [200, 24])
  })
})

describe('a range of a file', () => {
  onEachSeam('is a 206 with just these bytes', make, async ask => {
    for (const [range, text, content] of [
      ['bytes=0-4', 'Hello', 'bytes 0-4/24'],
      ['bytes=-5', 'text.', 'bytes 19-23/24'],
      ['bytes=19-', 'text.', 'bytes 19-23/24'],
      ['bytes=7-999', '24 bytes of text.', 'bytes 7-23/24'],
    ] as const) {
      const answer = await ask('/in/hello.txt', { headers: { range } })
      assert.equal(answer.status, 206)
      assert.equal(answer.headers.get('content-range'), content)
      assert.equal(answer.headers.get('content-length'), String(text.length))
      assert.equal(await answer.text(), text)
    }
    const [start, length] = [1_000_001, 9_000_003]
    const large = await ask('/in/large.bin', { headers: { range: `bytes=${start}-${start + length - 1}` } })
    assert.equal(large.headers.get('content-length'), String(length))
    assert.ok(Buffer.from(await large.arrayBuffer()).equals(pattern(LARGE).subarray(start, start + length)))
  })

  onEachSeam('outside of it is a 416 that tells its size', make, async ask => {
    const answer = await ask('/in/hello.txt', { headers: { range: 'bytes=24-' } })
    assert.deepEqual([answer.status, answer.headers.get('content-range')], [416, 'bytes */24'])
    assert.equal((await answer.json()).status, 416)
  })

  onEachSeam('is ignored for HEAD, when there are several, and when If-Range names another state', make, async ask => {
    const etag = (await ask('/in/hello.txt')).headers.get('etag')!
    const status = async (headers: Record<string, string>, method = 'GET') =>
      (await ask('/in/hello.txt', { method, headers })).status
    assert.equal(await status({ range: 'bytes=0-1' }, 'HEAD'), 200)
    assert.equal(await status({ range: 'bytes=0-1,3-4' }), 200)
    assert.equal(await status({ range: 'bytes=0-1', 'if-range': '"x"' }), 200)
    assert.equal(await status({ range: 'bytes=0-1', 'if-range': etag }), 206)
    assert.equal(await status({ range: 'bytes=0-1', 'if-range': MODIFIED_FIELD }), 206)
    assert.equal(await status({ range: 'bytes=0-1', 'if-none-match': etag }), 304)
  })
})

describe('middleware around a file', () => {
  const around = () => {
    const app = new App({ log: silent })
    app.use(
      async (_context, next) => {
        const answer = await next()
        answer.headers.set('x-seen', `${answer.status} ${answer.headers.get('content-type') ?? 'none'}`)
      },
      compress({ thresholdBytes: 1 }),
    )
    app.get('/{path*}', ({ params }) => file(params.path, { root }))
    return app
  }
  onEachSeam('sees the answer that will be sent', around, async ask => {
    assert.equal((await ask('/hello.txt')).headers.get('x-seen'), '200 text/plain; charset=utf-8')
    assert.equal((await ask('/hello.txt', { headers: { 'if-none-match': '*' } })).headers.get('x-seen'), '304 none')
    assert.equal((await ask('/none')).headers.get('x-seen'), '404 application/problem+json')
  })

  onEachSeam('may compress it, and the tag is weak then', around, async ask => {
    const answer = await ask('/hello.txt', { headers: { 'accept-encoding': 'gzip' } })
    assert.match(answer.headers.get('etag')!, /^W\//)
    const part = await ask('/hello.txt', { headers: { 'accept-encoding': 'gzip', range: 'bytes=0-4' } })
    assert.deepEqual([part.headers.get('content-encoding'), await part.text()], [null, 'Hello'])
    const again = await ask('/hello.txt', { headers: { 'if-none-match': answer.headers.get('etag')! } })
    assert.equal(again.status, 304)
  })
})

describe('the descriptor of a file', countsDescriptors, () => {
  onEachSeam('is closed after every kind of answer', make, async ask => {
    for (const [path, init] of [
      ['/in/hello.txt', {}],
      ['/in/large.bin', {}],
      ['/in/large.bin', { method: 'HEAD' }],
      ['/in/large.bin', { headers: { 'if-none-match': '*' } }],
      ['/in/large.bin', { headers: { 'if-match': '"x"' } }],
      ['/in/large.bin', { headers: { range: 'bytes=0-99999' } }],
      ['/in/large.bin', { headers: { range: `bytes=${LARGE}-` } }],
      ['/in/sub', {}],
      ['/in/pipe', {}],
      ['/cached', {}],
    ] as const) {
      await (await ask(path, init)).arrayBuffer()
      await nothingOpen()
    }
  })

  onEachSeam('is closed when the client goes away', make, async ask => {
    const answer = await ask('/in/large.bin')
    const reader = answer.body!.getReader()
    await reader.read()
    assert.equal(openNow().length, 1)
    await reader.cancel()
    await nothingOpen()
  })

  test('is closed when a socket breaks in the middle', async () => {
    await overSocket(make(), async client => {
      await client.write(get('/in/large.bin')).until(({ received }) => received > 100_000)
      client.stream.pause()
      assert.equal(openNow().length, 1)
      client.destroy()
      await nothingOpen()
    })
  })

  test('is closed when a middleware answers with something else and forgets the stream', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const app = new App({ log: silent })
    app.use(async (_context, next) => {
      const answer = await next()
      answer.body = 'something else'
      answer.length = undefined
    })
    app.get('/', () => file('large.bin', { root }))
    const client = testClient(app)
    assert.equal(await (await client.fetch('/')).text(), 'something else')
    for (let n = 0; openNow().length > 0; n++) {
      assert.ok(n < 1000, 'it is still open')
      collect()
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    await client.close()
  })

  test('is read no faster than the client takes it', async () => {
    // All that this process reads: the file, and what arrives at the client's end.
    const read = () => Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'latin1'))![1])
    await overSocket(make(), async client => {
      const before = read()
      await client.write(get('/in/large.bin')).until(({ received }) => received > 0)
      client.stream.pause()
      for (let n = 0; n < 500; n++) await new Promise(resolve => setImmediate(resolve))
      const taken = read() - before
      assert.ok(taken < LARGE, `${taken} bytes read for a client that does not read on`)
    })
    await nothingOpen()
  })

  test('is closed when the answer comes too late', async () => {
    const app = new App({ log: silent })
    app.get('/', { timeout: 60 }, async ({ signal }) => {
      await new Promise(resolve => signal.addEventListener('abort', resolve))
      return file('large.bin', { root })
    })
    const client = testClient(app)
    assert.equal((await client.fetch('/')).status, 504)
    await nothingOpen()
    await client.close()
  })
})

describe('a file that changes while it is sent', () => {
  test('and becomes shorter cuts the connection; one that grows is sent as long as it was', async () => {
    await overSocket(make(), async client => {
      const path = join(root, 'changing.bin')
      writeFileSync(path, pattern(LARGE))
      await client.write(get('/in/changing.bin')).until(({ received }) => received > 100_000)
      client.stream.pause()
      appendFileSync(path, 'more')
      client.stream.resume()
      const [grown] = await (await client.until(({ received }) => received > LARGE)).answers(1)
      assert.equal(grown!.body.length, LARGE)
      // The socket is good for another.
      const [, small] = await client.write(get('/in/hello.txt')).answers(2)
      assert.equal(small!.body, 'Hello, 24 bytes of text.')

      const before = client.received
      await client.write(get('/in/changing.bin')).until(({ received }) => received > before + 100_000)
      client.stream.pause()
      truncateSync(path, LARGE / 2)
      client.stream.resume()
      await client.until(({ hasEnded, hasClosed }) => hasEnded || hasClosed)
      assert.ok(client.received - before < LARGE)
    })
    if (process.platform === 'linux') await nothingOpen()
  })
})
