import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { App, bytes, fail, file, stream, text } from 'millrace'
import { checkConditions, compress, conditional } from 'millrace/middleware'
import { type Ask, onEachSeam, silent } from '../support/seams.ts'

const LONG = Array.from({ length: 300 }, (_, id) => ({ id, name: `Product ${id}` }))
const OLD = 'Thu, 01 Jan 2026 00:00:00 GMT'

let folder: string
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-conditional-'))
  writeFileSync(join(folder, 'a.txt'), 'text '.repeat(1000))
  utimesSync(join(folder, 'a.txt'), new Date(OLD), new Date(OLD))
})
after(() => rmSync(folder, { recursive: true, force: true }))

function make(...use: ReturnType<typeof conditional>[]): App {
  const app = new App({ log: silent, use: use.length > 0 ? use : [conditional()] })
  let calls = 0
  app.get('/a', () => ({ list: LONG }))
  app.get('/changes', () => ({ calls: ++calls }))
  app.get('/bytes', () => bytes(Buffer.from([1, 2, 3])))
  app.get('/own', ({ reply }) => reply(200, 1, { headers: { etag: '"v7"', 'last-modified': OLD } }))
  app.get('/dressed', ({ reply }) =>
    reply(200, LONG, {
      headers: {
        'cache-control': 'max-age=5',
        'content-language': 'en',
        'content-location': '/b',
        vary: 'X',
        'x-own': 'y',
      },
      cookies: { a: 'b' },
    }),
  )
  app.get('/dated', () => text('x', { headers: { 'last-modified': OLD } }))
  app.get('/stream', () => stream(['a', 'b'].values()))
  app.get('/tagged-stream', () => stream(['a', 'b'].values(), { headers: { etag: '"s1"' } }))
  app.get('/secret', () => text('x', { headers: { 'cache-control': 'no-store' } }))
  app.get('/refused', () => fail(404, 'no'))
  app.get('/accepted', ({ reply }) => reply(202, 1))
  app.post('/a', () => ({ list: LONG }))
  app.get('/file', () => file('a.txt', { root: folder }))
  return app
}

/** The tag of the answer, and what somebody gets who shows it. */
async function again(ask: Ask, path: `/${string}`, headers: Record<string, string> = {}) {
  const first = await ask(path, { headers })
  await first.arrayBuffer()
  const etag = first.headers.get('etag')
  const second = await ask(path, { headers: { ...headers, 'if-none-match': etag ?? '' } })
  return { first, etag, second }
}

describe('conditional()', () => {
  onEachSeam(
    'gives a whole answer a tag, and a 304 without a body to who shows it',
    () => make(),
    async ask => {
      for (const path of ['/a', '/bytes'] as const) {
        const { first, etag, second } = await again(ask, path)
        assert.equal(first.status, 200)
        assert.match(etag!, /^"[\w-]{27}"$/)
        assert.equal(second.status, 304)
        assert.equal(second.headers.get('etag'), etag)
        assert.equal(second.headers.get('content-type'), null)
        assert.equal(await second.text(), '')
        assert.equal((await ask(path)).headers.get('etag'), etag, 'the same bytes, the same tag')
      }
      for (const known of ['*', '"other", W/"a"'] as const) {
        const answer = await ask('/a', { headers: { 'if-none-match': known } })
        assert.equal(answer.status, known === '*' ? 304 : 200, known)
      }
      const { second } = await again(ask, '/changes')
      assert.equal(second.status, 200, 'other bytes by now')
    },
  )

  onEachSeam(
    'answers HEAD with the tag that GET has, and with 304',
    () => make(),
    async ask => {
      const { etag } = await again(ask, '/a')
      const head = await ask('/a', { method: 'HEAD' })
      assert.equal(head.status, 200)
      assert.equal(head.headers.get('etag'), etag)
      const known = await ask('/a', { method: 'HEAD', headers: { 'if-none-match': etag! } })
      assert.equal(known.status, 304)
    },
  )

  onEachSeam(
    'takes the tag and the date that an answer has',
    () => make(),
    async ask => {
      const statusOf = async (path: `/${string}`, headers: Record<string, string>) =>
        (await ask(path, { headers })).status
      assert.equal((await ask('/own')).headers.get('etag'), '"v7"')
      assert.equal(await statusOf('/own', { 'if-none-match': 'W/"v7"' }), 304)
      assert.equal(await statusOf('/own', { 'if-modified-since': OLD }), 304)
      assert.equal(await statusOf('/dated', { 'if-modified-since': OLD }), 304)
      assert.equal(await statusOf('/dated', { 'if-modified-since': 'Wed, 31 Dec 2025 00:00:00 GMT' }), 200)
      assert.equal(await statusOf('/own', { 'if-match': '"v8"' }), 412)
      assert.equal(await statusOf('/own', { 'if-match': '"v7"' }), 200)
      assert.equal(await statusOf('/own', { 'if-unmodified-since': 'Wed, 31 Dec 2025 00:00:00 GMT' }), 412)
    },
  )

  onEachSeam(
    'leaves in a 304 what is about the answer, and not what is about its body',
    () => make(),
    async ask => {
      const { second } = await again(ask, '/dressed')
      assert.equal(second.status, 304)
      assert.deepEqual(
        ['cache-control', 'content-location', 'vary', 'x-own', 'set-cookie', 'content-language', 'content-type'].map(
          name => second.headers.get(name)?.replace(/;.*/, ''),
        ),
        ['max-age=5', '/b', 'X', 'y', 'a=b', undefined, undefined],
      )
    },
  )

  onEachSeam(
    'tags no stream, no error, no write, and nothing that must not be stored',
    () => make(),
    async ask => {
      for (const path of ['/stream', '/secret', '/refused', '/accepted', '/nowhere'] as const) {
        const answer = await ask(path)
        assert.equal(answer.headers.get('etag'), null, path)
        await answer.body?.cancel()
      }
      assert.equal((await ask('/a', { method: 'POST' })).headers.get('etag'), null)
      assert.equal(await (await ask('/stream')).text(), 'ab')
      const { second } = await again(ask, '/tagged-stream')
      assert.equal(second.status, 304)
    },
  )

  onEachSeam(
    'leaves files their own tag',
    () => make(),
    async ask => {
      const { etag, second } = await again(ask, '/file')
      assert.match(etag!, /^"1388-[\da-f]+"$/)
      assert.equal(second.status, 304)
      assert.equal((await ask('/file', { headers: { range: 'bytes=0-3' } })).status, 206)
      assert.equal((await ask('/file', { headers: { 'if-match': '"x"' } })).status, 412)
    },
  )

  test('is in the document of routes that read', () => {
    const { paths } = make().openapi() as any
    const { get, post } = paths['/a']
    assert.deepEqual(Object.keys(get.responses), ['200', '304', '4XX', 'default'])
    assert.equal(get.responses['304'].content, undefined)
    assert.ok('ETag' in get.responses['200'].headers && !('headers' in get.responses['4XX']))
    assert.deepEqual(get.parameters[0].name, 'If-None-Match')
    assert.equal(post.responses['304'], undefined)
  })
})

describe('conditional() and compress()', () => {
  const GZIP = { 'accept-encoding': 'gzip' }
  const onFetch =
    (app: App): Ask =>
    (path, init) =>
      app.fetch(new Request(`http://a${path}`, init))

  test('inside it: one tag for all codings, weak where it was compressed, in the 304 as well', async () => {
    const ask = onFetch(make(compress(), conditional()))
    const plain = await again(ask, '/a', { 'accept-encoding': 'identity' })
    const zipped = await again(ask, '/a', GZIP)
    assert.equal(zipped.first.headers.get('content-encoding'), 'gzip')
    assert.equal(zipped.etag, `W/${plain.etag}`)
    for (const { first, second, etag } of [plain, zipped]) {
      assert.equal(second.status, 304)
      assert.equal(second.headers.get('etag'), etag)
      assert.equal(first.headers.get('vary'), 'Accept-Encoding')
      assert.equal(second.headers.get('vary'), 'Accept-Encoding')
      assert.equal(second.headers.get('content-encoding'), null)
    }
    const other = await ask('/a', { headers: { ...GZIP, 'if-none-match': plain.etag! } })
    assert.equal(other.status, 304, 'the same content, whatever it was sent in')
  })

  test('around it: a strong tag for each coding', async () => {
    const ask = onFetch(make(conditional(), compress()))
    const plain = await again(ask, '/a', { 'accept-encoding': 'identity' })
    const zipped = await again(ask, '/a', GZIP)
    assert.match(zipped.etag!, /^"/)
    assert.notEqual(zipped.etag, plain.etag)
    for (const { second, etag } of [plain, zipped]) {
      assert.equal(second.status, 304)
      assert.equal(second.headers.get('etag'), etag)
      assert.equal(second.headers.get('vary'), 'Accept-Encoding')
    }
    assert.equal((await ask('/a', { headers: { ...GZIP, 'if-none-match': plain.etag! } })).status, 200)
  })

  test('files and streams go through both', async () => {
    const ask = onFetch(make(compress({ thresholdBytes: 10 }), conditional()))
    const zipped = await ask('/file', { headers: GZIP })
    assert.equal(zipped.headers.get('content-encoding'), 'gzip')
    assert.match(zipped.headers.get('etag')!, /^W\/"1388-/)
    assert.equal(gunzipSync(await zipped.arrayBuffer()).toString(), 'text '.repeat(1000))
    const { second } = await again(ask, '/file', GZIP)
    assert.equal(second.status, 304)
    assert.match(second.headers.get('etag')!, /^W\//)
    assert.equal(await (await ask('/stream', { headers: GZIP })).text(), 'ab')
    const head = await ask('/a', { method: 'HEAD', headers: GZIP })
    assert.match(head.headers.get('etag')!, /^W\//)
    assert.equal(head.headers.get('content-encoding'), 'gzip')
  })
})

describe('checkConditions()', () => {
  const notes = (required: boolean) => () => {
    const app = new App({ log: silent })
    let version = 0
    app.put('/note', context => {
      checkConditions(context, version === 0 ? undefined : { etag: `"${version}"`, modifiedMs: Date.parse(OLD) }, {
        required,
      })
      return { version: ++version }
    })
    return app
  }
  const put = async (ask: Ask, headers: Record<string, string> = {}) =>
    (await ask('/note', { method: 'PUT', headers })).status

  onEachSeam('lets a change pass only where what is there is what the client thinks', notes(false), async ask => {
    assert.equal(await put(ask, { 'if-match': '"1"' }), 412, 'there is nothing yet')
    assert.equal(await put(ask, { 'if-match': '*' }), 412)
    assert.equal(await put(ask, { 'if-none-match': '*' }), 200, 'made')
    assert.equal(await put(ask, { 'if-none-match': '*' }), 412, 'made already')
    assert.equal(await put(ask, { 'if-match': '"1"' }), 200)
    assert.equal(await put(ask, { 'if-match': '"1"' }), 412, 'somebody was quicker')
    assert.equal(await put(ask, { 'if-match': 'W/"2"' }), 412, 'a weak tag means no certain state')
    assert.equal(await put(ask, { 'if-match': '"1", "2"' }), 200)
    assert.equal(await put(ask, { 'if-match': '*' }), 200)
    assert.equal(await put(ask, { 'if-unmodified-since': OLD }), 200)
    assert.equal(await put(ask, { 'if-unmodified-since': 'Wed, 31 Dec 2025 00:00:00 GMT' }), 412)
    assert.equal(await put(ask), 200)
  })

  onEachSeam('is a 428 where a state must be named', notes(true), async ask => {
    assert.equal(await put(ask), 428)
    assert.equal(await put(ask, { 'if-none-match': '*' }), 200)
    assert.equal(await put(ask), 428)
    assert.equal(await put(ask, { 'if-match': '"1"' }), 200)
  })

  test('takes the context, and says so to who gives it a copy', async () => {
    const lines: { err: { code: string } }[] = []
    const app = new App({ log: { ...silent, error: (facts: unknown) => void lines.push(facts as never) } })
    app.put('/copy', ({ ...context }) => checkConditions(context, undefined))
    assert.equal((await app.fetch(new Request('http://a/copy', { method: 'PUT' }))).status, 500)
    assert.equal(lines[0]!.err.code, 'APP_NOT_A_CONTEXT')
  })
})
