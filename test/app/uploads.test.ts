// What a request's files hold open, and when it is let go of. Counted in the process itself: descriptors of unnamed files, and the names
// in the temporary folder.
import assert from 'node:assert/strict'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { App, type UploadedFile } from 'millrace'
import { Engine } from '../../src/http/engine.ts'
import { overTcp } from '../http/support/connect.ts'
import { overSocket } from './support/over-tcp.ts'
import { onEachSeam, silent } from './support/seams.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-test-'))
const { TMPDIR } = process.env
const spooled = join(folder, 'spooled')
mkdirSync(spooled)
process.env['TMPDIR'] = spooled
after(() => {
  if (TMPDIR === undefined) delete process.env['TMPDIR']
  else process.env['TMPDIR'] = TMPDIR
  rmSync(folder, { recursive: true })
})

const skip = process.platform === 'linux' ? false : 'descriptors are counted in /proc'

/** Descriptors of this process that lead into the temporary folder. */
function held(): number {
  const links = readdirSync('/proc/self/fd').map(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return '' // the one that lists them
    }
  })
  return links.filter(link => link.startsWith(spooled)).length
}

async function until(condition: () => boolean): Promise<void> {
  const started = performance.now()
  while (!condition()) {
    assert.ok(performance.now() - started < 20_000, 'it did not come about within 20 s')
    await setImmediate()
  }
}

const LARGE = 'x'.repeat(3 * 2 ** 20)
const part = (name: string, data: string) =>
  `--B\r\nContent-Disposition: form-data; name="${name}"; filename="${name}.txt"\r\n\r\n${data}\r\n`
const form = (...parts: readonly string[]): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'multipart/form-data; boundary=B' },
  body: `${parts.join('')}--B--\r\n`,
})

interface Seen {
  readonly held: number
  readonly names: readonly string[]
  file?: UploadedFile
}

function make(seen: Seen[]): App {
  const app = new App({ log: silent })
  const see = (file: UploadedFile) => void seen.push({ held: held(), names: readdirSync(spooled), file })
  const files = { a: { maxBytes: 4 * 2 ** 20 }, b: { optional: true, types: ['image/png'] } } as const
  const spec = { files, maxBodyBytes: 32 * 2 ** 20 }
  app.post('/size', spec, async ({ files: { a } }) => {
    see(a)
    let streamed = 0
    for await (const piece of a.stream()) streamed += piece.byteLength
    return [a.size, streamed, (await a.bytes()).byteLength, (await a.text()).slice(-3)]
  })
  app.post('/throws', spec, ({ files: { a } }) => {
    see(a)
    throw new Error('no')
  })
  app.post('/streams', spec, ({ files: { a } }) => {
    see(a)
    return new Response(a.stream())
  })
  app.post('/defers', spec, ({ files: { a }, defer }) => {
    see(a)
    defer(() => {
      throw new Error('the first of them fails')
    })
    defer(async () => void seen.push({ held: (await a.bytes()).byteLength, names: [] }))
    return 'later'
  })
  app.post('/hangs', { ...spec, timeout: '50ms' }, ({ files: { a } }) => {
    see(a)
    return new Promise(() => {})
  })
  app.post('/surrounded', { ...spec, use: [(_, next) => next()] }, ({ files: { a } }) => {
    see(a)
    return a.size
  })
  return app
}

describe('an uploaded file', { skip }, () => {
  const seen: Seen[] = []
  const fresh = () => {
    seen.length = 0
    return make(seen)
  }

  onEachSeam('over 1 MiB is in a file without a name while it is read, and gone with the answer', fresh, async ask => {
    const answer = await ask('/size', form(part('a', `${LARGE}end`)))
    assert.deepEqual(await answer.json(), [LARGE.length + 3, LARGE.length + 3, LARGE.length + 3, 'end'])
    assert.deepEqual([seen[0]!.held, seen[0]!.names], [1, []])
    await until(() => held() === 0)
  })

  onEachSeam('of up to 1 MiB stays in memory', fresh, async ask => {
    const answer = await ask('/size', form(part('a', 'y'.repeat(2 ** 20))))
    assert.deepEqual(await answer.json(), [2 ** 20, 2 ** 20, 2 ** 20, 'yyy'])
    assert.equal(seen[0]!.held, 0)
  })

  onEachSeam('is gone when the handler throws, and behind middleware', fresh, async ask => {
    assert.equal((await ask('/throws', form(part('a', LARGE)))).status, 500)
    assert.equal(await (await ask('/surrounded', form(part('a', LARGE)))).json(), LARGE.length)
    assert.deepEqual(
      seen.map(one => one.held),
      [1, 1],
    )
    await until(() => held() === 0)
  })

  onEachSeam('is gone when another part is refused', fresh, async ask => {
    const refused: readonly [number, RequestInit][] = [
      [422, form(part('a', LARGE), part('b', 'x'))],
      [413, form(part('a', LARGE), part('a', 'x'.repeat(4 * 2 ** 20 + 1)))],
      [400, form(part('a', LARGE), '--B\r\n\r\n')],
      [400, { ...form(), body: part('a', LARGE) }],
    ]
    for (const [status, init] of refused) {
      const answer = await ask('/size', init)
      assert.equal(answer.status, status)
      await answer.text()
      await until(() => held() === 0)
    }
    assert.equal(seen.length, 0)
  })

  onEachSeam('is there until it has been streamed back', fresh, async ask => {
    assert.equal(await (await ask('/streams', form(part('a', LARGE)))).text(), LARGE)
    await until(() => held() === 0)
  })

  onEachSeam('is there for what was deferred, and gone behind it, whatever fails', fresh, async ask => {
    assert.equal(await (await ask('/defers', form(part('a', LARGE)))).json(), 'later')
    await until(() => seen.length === 2)
    assert.equal(seen[1]!.held, LARGE.length)
    await until(() => held() === 0)
  })

  onEachSeam('is gone when time is up, though the handler never ends', fresh, async ask => {
    // A form that takes longer than 50 ms to arrive here is a 504 as well, and then no handler sees it.
    assert.equal((await ask('/hangs', form(part('a', LARGE)))).status, 504)
    await until(() => held() === 0)
  })

  onEachSeam('cannot be read later', fresh, async ask => {
    await (await ask('/size', form(part('a', LARGE)))).json()
    await (await ask('/size', form(part('a', 'small')))).json()
    assert.equal(seen.length, 2)
    await until(() => held() === 0)
    for (const { file } of seen) {
      await assert.rejects(file!.bytes(), { code: 'APP_FILE_GONE' })
      await assert.rejects(file!.stream().getReader().read(), { code: 'APP_FILE_GONE' })
    }
  })

  test('is gone when its client leaves in the middle of it', async () => {
    await overSocket(fresh(), async client => {
      client.stream.write(
        `POST /size HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: 9000000\r\n\r\n${part('a', LARGE)}`,
      )
      await until(() => held() === 1)
      client.destroy()
      await until(() => held() === 0)
    })
    assert.equal(seen.length, 0)
  })

  test('is gone when the server closes in the middle of it', async () => {
    const started = await fresh().start()
    const engine = new Engine(started.handler)
    const client = await overTcp.open(engine)
    client.stream.write(
      `POST /size HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: 9000000\r\n\r\n${part('a', LARGE)}`,
    )
    await until(() => held() === 1)
    engine.close()
    await until(() => held() === 0)
    client.destroy()
    await started.stop(1000)
  })

  test('is gone when its client leaves while the handler is at work', async () => {
    const app = new App({ log: silent })
    const { promise: left, resolve: leave } = Promise.withResolvers<unknown>()
    let isAtWork = false
    app.post('/', { files: { a: {} }, maxBodyBytes: 2 ** 23 }, async ({ files, signal }) => {
      isAtWork = true
      await new Promise(resolve => signal.addEventListener('abort', resolve))
      await files.a.bytes().catch(leave)
    })
    await overSocket(app, async client => {
      const body = form(part('a', LARGE)).body as string
      client.stream.write(
        `POST / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      )
      await until(() => isAtWork)
      assert.equal(held(), 1)
      client.destroy()
      assert.equal(((await left) as { code?: string }).code, 'APP_FILE_GONE')
      await until(() => held() === 0)
    })
  })

  test('is not read from the client faster than it is stored', async () => {
    const app = new App({ log: silent })
    app.post('/', { files: { a: {} }, maxBodyBytes: 2 ** 28 }, ({ files }) => files.a.size)
    await overSocket(app, async client => {
      const size = 2 ** 27
      const body = form(part('a', 'x'.repeat(size))).body as string
      const before = process.memoryUsage().arrayBuffers
      let most = 0
      client.stream.write(
        `POST / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: ${body.length}\r\n\r\n`,
      )
      for (let at = 0; at < body.length; at += 2 ** 20) {
        if (!client.stream.write(body.slice(at, at + 2 ** 20)))
          await new Promise(resolve => client.stream.once('drain', resolve))
        most = Math.max(most, process.memoryUsage().arrayBuffers - before)
      }
      await until(() => client.received > 0)
      // 128 MiB come. Some are held: what is not written yet, and what waits for the collector, which is a few dozen at most.
      assert.ok(most < 100e6, `${most} bytes were held`)
    })
  })
})

describe('save()', () => {
  const kept = join(folder, 'kept')
  mkdirSync(kept)
  const target = join(kept, 'file')
  const app = () => {
    const app = new App({ log: silent })
    app.post('/new', { files: { a: {} }, maxBodyBytes: 2 ** 23 }, ({ files }) =>
      files.a.save(target).then(() => 'saved'),
    )
    app.post('/over', { files: { a: {} }, maxBodyBytes: 2 ** 23 }, ({ files }) =>
      files.a.save(target, { overwrite: true }).then(() => 'saved'),
    )
    return app
  }

  onEachSeam('copies the bytes, leaves alone what is there, and replaces it when told', app, async ask => {
    rmSync(target, { force: true })
    assert.equal((await ask('/new', form(part('a', LARGE)))).status, 200)
    assert.equal(readFileSync(target, 'utf8'), LARGE)
    writeFileSync(target, 'precious')
    assert.equal((await ask('/new', form(part('a', 'small')))).status, 500)
    assert.equal(readFileSync(target, 'utf8'), 'precious')
    assert.equal((await ask('/over', form(part('a', 'small')))).status, 200)
    assert.equal(readFileSync(target, 'utf8'), 'small')
    assert.deepEqual(readdirSync(kept), ['file'])
    assert.equal(statSync(target).isFile(), true)
  })
})
