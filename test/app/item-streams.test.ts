// Streams of items: JSON lines, events and pieces, on every way in.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { App, content, dependency, event, events, fail, jsonLines, text } from 'millrace'
import { testClient } from 'millrace/testing'
import { onEachProtocol, silent } from './support/seams.ts'

const Item = z.object({ n: z.int() })
const Dated = z.object({
  at: z.codec(z.iso.datetime(), z.date(), { decode: text => new Date(text), encode: date => date.toISOString() }),
})

function webStream(...texts: string[]): ReadableStream<string> {
  return new ReadableStream({
    pull: to => (texts.length > 0 ? to.enqueue(texts.shift()!) : to.close()),
  })
}

const make = () => {
  const app = new App({ log: silent })
  app.get('/lines', { returns: jsonLines(Item) }, async function* () {
    yield { n: 1, secret: 'never' }
    yield { n: 2 }
  })
  app.get('/sync', { returns: jsonLines(Item) }, function* () {
    yield { n: 1 }
  })
  app.get('/list', { returns: jsonLines(Dated) }, () => [{ at: new Date(0) }, { at: new Date(1) }])
  app.get('/web', { returns: jsonLines(z.string()) }, async () => webStream('a', 'b'))
  app.get('/none', { returns: jsonLines(Item) }, () => [])
  app.post('/made', { returns: { 201: jsonLines(Item), 404: z.object({ title: z.string() }) } }, async function* () {
    yield { n: 1 }
  })
  app.get('/replied', { returns: { 200: jsonLines(Item), 404: z.object({ title: z.string() }) } }, ({ reply }) =>
    reply(200, [{ n: 3 }], { headers: { 'x-why': 'because' }, cookies: { a: 'b' } }),
  )
  app.get('/fails', { returns: jsonLines(Item) }, async function* () {
    await Promise.resolve()
    fail(404, 'There are no items')
    yield { n: 1 }
  })
  app.get('/throws', { returns: events(Item) }, async function* () {
    if (app) throw new Error('password=hunter2')
    yield { n: 1 }
  })
  app.get('/first-misfit', { returns: { 200: jsonLines(Item) } }, (() => 'no stream') as never)
  app.get('/events', { returns: events(Item) }, async function* () {
    yield { n: 1, secret: 'never' }
    yield event({ n: 2 }, { comment: 'two', event: 'tick', id: 7, retry: '5s' })
    yield event.text('[DONE]')
    yield event.comment('the end\nof it')
  })
  app.post('/words', { returns: events(text, { retry: 1500 }) }, async function* () {
    yield 'one\ntwo\r\nthree'
    yield event('four', { id: '' })
  })
  app.get('/csv', { returns: content('text/csv') }, async function* () {
    yield 'a,b\n'
    yield new TextEncoder().encode('1,2\n')
  })
  return app
}

describe('a stream of JSON lines', () => {
  onEachProtocol('is one document a line, each filtered by the schema of the item', make, async ask => {
    const answer = await ask('/lines')
    assert.equal(answer.headers.get('content-type'), 'application/jsonl')
    assert.equal(answer.headers.get('content-length'), null)
    assert.equal(await answer.text(), '{"n":1}\n{"n":2}\n')
  })

  onEachProtocol('comes from generators, iterables and web streams, and may be empty', make, async ask => {
    assert.equal(await (await ask('/sync')).text(), '{"n":1}\n')
    assert.equal(
      await (await ask('/list')).text(),
      '{"at":"1970-01-01T00:00:00.000Z"}\n{"at":"1970-01-01T00:00:00.001Z"}\n',
    )
    assert.equal(await (await ask('/web')).text(), '"a"\n"b"\n')
    assert.equal(await (await ask('/none')).text(), '')
  })

  onEachProtocol('has the status that is declared, and what reply says', make, async ask => {
    const made = await ask('/made', { method: 'POST' })
    assert.equal(made.status, 201)
    await made.text()
    const replied = await ask('/replied')
    assert.equal(replied.headers.get('x-why'), 'because')
    assert.deepEqual(replied.headers.getSetCookie(), ['a=b; Path=/; SameSite=Lax'])
    assert.equal(await replied.text(), '{"n":3}\n')
  })

  onEachProtocol('answers HEAD with its head', make, async ask => {
    const answer = await ask('/lines', { method: 'HEAD' })
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('content-type'), 'application/jsonl')
    assert.equal(await answer.text(), '')
  })
})

describe('what fails', () => {
  onEachProtocol('before the first item is answered with a problem', make, async ask => {
    const none = await ask('/fails')
    assert.equal(none.status, 404)
    assert.equal(((await none.json()) as { detail: string }).detail, 'There are no items')
    for (const path of ['/throws', '/first-misfit'] as const) {
      const failed = await ask(path)
      assert.equal(failed.status, 500)
      assert.equal(failed.headers.get('content-type'), 'application/problem+json')
      assert.doesNotMatch(await failed.text(), /hunter2/)
    }
  })

  let logged: string[] = []
  let hasEnded = false
  onEachProtocol(
    'after the first item cuts the answer, runs the clean-up, and is logged once',
    () => {
      logged = []
      hasEnded = false
      const log = { ...silent, error: (of: unknown) => logged.push((of as { err: Error }).err.message) }
      const app = new App({ log })
      app.get('/lines', { returns: jsonLines(Item) }, async function* () {
        yield { n: 1 }
        throw new Error('later')
      })
      app.get('/misfit', { returns: events(Item) }, async function* () {
        try {
          yield { n: 1 }
          yield { n: 'x' } as never
        } finally {
          hasEnded = true
        }
      })
      return app
    },
    async ask => {
      for (const path of ['/lines', '/misfit'] as const) {
        const answer = await ask(path)
        assert.equal(answer.status, 200)
        await assert.rejects(answer.text())
      }
      assert.ok(hasEnded)
      assert.equal(logged.length, 2, logged.join())
      assert.match(logged[0]!, /later/)
      assert.match(logged[1]!, /n should be an integer/)
    },
  )
})

describe('a stream of events', () => {
  onEachProtocol('is framed as EventSource reads it', make, async ask => {
    const answer = await ask('/events')
    assert.equal(answer.headers.get('content-type'), 'text/event-stream; charset=utf-8')
    assert.equal(
      await answer.text(),
      'data: {"n":1}\n\n' +
        ': two\nevent: tick\ndata: {"n":2}\nid: 7\nretry: 5000\n\n' +
        'data: [DONE]\n\n' +
        ': the end\n: of it\n\n',
    )
  })

  onEachProtocol('tells proxies and caches to keep nothing back', make, async ask => {
    const answer = await ask('/events')
    assert.equal(answer.headers.get('cache-control'), 'no-cache, no-transform')
    assert.equal(answer.headers.get('x-accel-buffering'), 'no')
    await answer.text()
  })

  onEachProtocol('of text sends it over as many lines as it has, on any method', make, async ask => {
    assert.equal(
      await (await ask('/words', { method: 'POST' })).text(),
      'retry: 1500\n\ndata: one\ndata: two\ndata: three\n\ndata: four\nid: \n\n',
    )
  })

  test('an event whose name or id is more than a line is refused', () => {
    for (const init of [{ event: 'a\nb' }, { id: 'a\rb' }, { id: 'a\0' }])
      assert.throws(() => event(1, init), { code: 'APP_BAD_ANSWER' })
  })
})

describe('pieces of a declared media type', () => {
  onEachProtocol('go out as they are, under it', make, async ask => {
    const answer = await ask('/csv')
    assert.equal(answer.headers.get('content-type'), 'text/csv; charset=utf-8')
    assert.equal(await answer.text(), 'a,b\n1,2\n')
  })
})

describe('the end of a generator', () => {
  let ended = Promise.withResolvers<string>()
  let made = 0
  onEachProtocol(
    'comes at its yield when the client goes away',
    () => {
      ended = Promise.withResolvers()
      made = 0
      const app = new App({ log: silent })
      app.get('/', { returns: jsonLines(z.string()) }, async function* () {
        try {
          for (;;) {
            made++
            yield 'x'.repeat(16 * 1024)
          }
        } finally {
          ended.resolve('ended')
        }
      })
      return app
    },
    async ask => {
      const answer = await ask('/')
      const reader = answer.body!.getReader()
      await reader.read()
      for (let n = 0; n < 100; n++) await new Promise(resolve => setImmediate(resolve))
      assert.ok(made < 1000, `${made} items made for a client that took one`)
      await reader.cancel()
      assert.equal(await ended.promise, 'ended')
    },
  )

  onEachProtocol(
    'comes when what it waits for with `signal` is given up, the client having left',
    () => {
      ended = Promise.withResolvers()
      const app = new App({ log: { ...silent, error: (of: unknown) => ended.reject(of) } })
      app.get('/', { returns: events(z.string()) }, async function* ({ signal }) {
        try {
          yield 'first'
          await new Promise((_resolve, reject) =>
            signal.addEventListener('abort', () => reject(signal.reason as Error)),
          )
        } finally {
          ended.resolve((signal.reason as { code: string }).code)
        }
      })
      return app
    },
    async ask => {
      const answer = await ask('/')
      const reader = answer.body!.getReader()
      await reader.read()
      await reader.cancel()
      assert.equal(await ended.promise, 'HTTP_CLIENT_GONE')
    },
  )

  onEachProtocol(
    'comes with the deadline, when the first item takes too long: a 504',
    () => {
      ended = Promise.withResolvers()
      const app = new App({ log: silent })
      app.get('/', { returns: jsonLines(z.string()), timeout: 60 }, async function* ({ signal }) {
        try {
          await new Promise(resolve => signal.addEventListener('abort', resolve))
          yield 'late'
        } finally {
          ended.resolve((signal.reason as { code: string }).code)
        }
      })
      return app
    },
    async ask => {
      assert.equal((await ask('/')).status, 504)
      assert.equal(await ended.promise, 'DEADLINE_PASSED')
    },
  )

  onEachProtocol(
    'is not its start when the answer is HEAD’s: what it opened is closed',
    () => {
      ended = Promise.withResolvers()
      const app = new App({ log: silent })
      app.get('/', { returns: events(z.string()) }, async function* () {
        try {
          yield 'first'
          yield 'second'
        } finally {
          ended.resolve('ended')
        }
      })
      return app
    },
    async ask => {
      await (await ask('/', { method: 'HEAD' })).text()
      assert.equal(await ended.promise, 'ended')
    },
  )
})

describe('the head of a stream of events', () => {
  let go = Promise.withResolvers<void>()
  onEachProtocol(
    'goes out although the first event takes its time',
    () => {
      go = Promise.withResolvers()
      const app = new App({ log: silent })
      app.get('/', { returns: events(z.int()) }, async function* () {
        await go.promise
        yield 1
      })
      return app
    },
    async ask => {
      const answer = await ask('/')
      assert.equal(answer.status, 200)
      go.resolve()
      assert.equal(await answer.text(), 'data: 1\n\n')
    },
  )
})

describe('dependencies', () => {
  let order: string[] = []
  onEachProtocol(
    'of a stream last until its first item, and are cleaned up before the head',
    () => {
      order = []
      const app = new App({ log: silent })
      const transaction = dependencyIn(order)
      app.get('/', { uses: { transaction }, returns: events(z.string()) }, async function* ({ transaction }) {
        order.push(`handler has ${transaction}`)
        yield transaction
        order.push('on')
        yield 'second'
      })
      app.get('/fails', { uses: { transaction }, returns: events(z.string()) }, async function* () {
        fail(409, 'no')
        yield 'never'
      })
      return app
    },
    async ask => {
      assert.equal(await (await ask('/')).text(), 'data: "tx"\n\ndata: "second"\n\n')
      assert.deepEqual(order, ['begin', 'handler has tx', 'commit', 'on'])
      order.length = 0
      assert.equal((await ask('/fails')).status, 409)
      assert.deepEqual(order, ['begin', 'rollback'])
    },
  )
})

function dependencyIn(order: string[]) {
  return dependency(async function* () {
    order.push('begin')
    try {
      yield 'tx'
      order.push('commit')
    } catch (error) {
      order.push('rollback')
      throw error
    }
  })
}

describe('middleware', () => {
  onEachProtocol(
    'around a stream sees it as a web stream, and may change it',
    () => {
      const app = new App({ log: silent })
      app.use(async (_context, next) => {
        const answer = await next()
        const { body } = answer
        assert.ok(body instanceof ReadableStream)
        answer.body = body.pipeThrough(
          new TransformStream<Uint8Array, Uint8Array>({
            transform: (piece, to) => to.enqueue(Buffer.from(Buffer.from(piece).toString().toUpperCase())),
          }),
        )
      })
      app.get('/', { returns: events(z.string()) }, async function* () {
        yield 'a'
        yield 'b'
      })
      return app
    },
    async ask => {
      assert.equal(await (await ask('/')).text(), 'DATA: "A"\n\nDATA: "B"\n\n')
    },
  )
})

describe('a drain', () => {
  test('ends streams of events with a retry, aborts their signal, and waits for their clean-up', async () => {
    for (const way of ['alone', 'with middleware'] as const) {
      let reason: unknown
      let isCleaned = false
      const app = new App({ log: silent })
      if (way === 'with middleware')
        app.use(async (_context, next) => {
          const answer = await next()
          assert.ok(answer.body instanceof ReadableStream)
        })
      app.get('/', { returns: events(z.string()) }, async function* ({ signal }) {
        try {
          yield 'first'
          await new Promise(resolve => signal.addEventListener('abort', resolve))
        } finally {
          reason = signal.reason
          await new Promise(resolve => setTimeout(resolve, 20))
          isCleaned = true
        }
      })
      const answer = await app.fetch(new Request('http://a/'))
      const reader = answer.body!.getReader()
      assert.equal(Buffer.from((await reader.read()).value!).toString(), 'data: "first"\n\n')
      const closed = app.close()
      let rest = ''
      for (;;) {
        const { done, value } = await reader.read()
        if (done) break
        rest += Buffer.from(value).toString()
      }
      assert.match(rest, /^retry: [1-4]\d{3}\n\n$/)
      await closed
      assert.equal((reason as { code: string }).code, 'APP_STREAM_ENDED')
      assert.ok(isCleaned)
    }
  })
})

describe('at start-up', () => {
  test('a cached stream is refused', () => {
    const app = new App()
    app.get('/', { returns: events(Item), cache: { ttl: '1s' } }, () => [])
    assert.throws(() => app.manifest(), { code: 'APP_CACHE' })
  })

  test('a content as an input is refused, naming the route', () => {
    const app = new App()
    app.post('/', { body: jsonLines(Item) as never }, () => 1)
    assert.throws(() => app.manifest(), /POST \/ body.*jsonLines\(\) is for `returns`/)
  })

  test('what is no media type is refused', () => {
    assert.throws(() => content('png'), { code: 'APP_BAD_MEDIA_TYPE' })
  })
})

test('a deferred task runs when the stream is over', async () => {
  const order: string[] = []
  const app = new App({ log: silent })
  app.get('/', { returns: jsonLines(z.int()) }, async function* ({ defer }) {
    defer(() => order.push('deferred'))
    yield 1
    order.push('over')
  })
  const client = testClient(app)
  await (await client.fetch('/')).text()
  await client.close()
  assert.deepEqual(order, ['over', 'deferred'])
})

describe('a stream of events that was lost', () => {
  onEachProtocol(
    'goes on behind the id that the client had last, which the handler reads as a header',
    () => {
      const app = new App({ log: silent })
      const headers = z.object({ lastEventId: z.int().default(0) })
      app.get('/', { headers, returns: events(Item) }, async function* ({ headers }) {
        for (let n = headers.lastEventId + 1; n <= 3; n++) yield event({ n }, { id: n })
      })
      return app
    },
    async ask => {
      const [first, second] = (await (await ask('/')).text()).split('\n\n')
      assert.deepEqual([first, second], ['data: {"n":1}\nid: 1', 'data: {"n":2}\nid: 2'])
      const rest = await (await ask('/', { headers: { 'last-event-id': '2' } })).text()
      assert.equal(rest, 'data: {"n":3}\nid: 3\n\n')
    },
  )
})
