// What TERM does to everything that can be under way: what has an end is finished, what has none is told, and nothing promised is lost.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import http from 'node:http'
import net from 'node:net'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { isRunning, type RunningServer, startServer, temporaryFolder } from './running-server.ts'

const limits = { timeout: 240_000, concurrency: 2 }

async function leaving(context: TestContext, flags: readonly string[]) {
  const folder = await temporaryFolder(context)
  const file = join(folder, 'record')
  await writeFile(file, '')
  // The upload waits for what the test does meanwhile, and not for a rate.
  const args = ['serve', 'leaving.ts', '--port', '0', '--workers', '2', '--min-rate-grace', '2m', ...flags]
  const server = await startServer(context, args, {
    environment: { RECORD: file },
  })
  return { server, record: async () => (await readFile(file, 'utf8')).trimEnd().split('\n').sort() }
}

interface Upload {
  /** Sends so many more bytes. */
  send(bytes: number): void
  end(): void
  readonly answer: Promise<{ status: number | undefined; connection: string | undefined; text: string }>
}

function upload(server: RunningServer): Upload {
  const request = http.request(`${server.url}/upload`, { method: 'POST', agent: false })
  const answer = once(request, 'response').then(async ([found]) => {
    const response = found as http.IncomingMessage
    let text = ''
    for await (const piece of response.setEncoding('utf8')) text += piece as string
    return { status: response.statusCode, connection: response.headers.connection, text }
  })
  answer.catch(() => {})
  return { send: bytes => void request.write('x'.repeat(bytes)), end: () => void request.end(), answer }
}

/** Reads to the end. @returns what came, and whether the answer was whole */
async function readAll(response: Response): Promise<{ text: string; isWhole: boolean }> {
  const decoder = new TextDecoder()
  let text = ''
  try {
    for await (const piece of response.body!) text += decoder.decode(piece, { stream: true })
    return { text, isWhole: true }
  } catch {
    return { text, isWhole: false }
  }
}

async function openSocket(server: RunningServer): Promise<{ closed: Promise<number> }> {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/socket`)
  const closed = new Promise<number>(resolve => socket.addEventListener('close', event => resolve(event.code)))
  await new Promise(resolve => socket.addEventListener('message', resolve, { once: true }))
  return { closed }
}

/** A kept connection that has been answered once. @returns asks again, on the same one */
async function keptConnection(server: RunningServer): Promise<() => Promise<string>> {
  const socket = net.connect(server.port, '127.0.0.1')
  socket.on('error', () => {})
  const ask = async (): Promise<string> => {
    socket.write('GET / HTTP/1.1\r\nHost: kept\r\n\r\n')
    const [bytes] = (await once(socket, 'data')) as [Buffer]
    return bytes.toString()
  }
  await ask()
  return ask
}

describe('TERM', limits, () => {
  test('with a 10 s stream, a slow upload, an SSE client, a WebSocket and deferred tasks open ends each as documented, with code 0', async context => {
    const { server, record } = await leaving(context, [])
    const workers = (await server.status()).workers.map(({ pid }) => pid)
    const stream = fetch(`${server.url}/stream/20`).then(readAll)
    const events = fetch(`${server.url}/events`).then(readAll)
    const socket = await openSocket(server)
    const slow = upload(server)
    slow.send(1000)
    const askAgain = await keptConnection(server)
    const deferred = await fetch(`${server.url}/deferred/3000`, { method: 'POST' })
    assert.equal(deferred.status, 200)
    await server.statusWhen(({ total }) => total.inflight === 3)

    server.signal('SIGTERM')
    await server.statusWhen(status => status.isStopping)

    // A WebSocket is told at once, a stream of events ends whole with the time to come back, a kept connection is answered and closed.
    assert.equal(await socket.closed, 1001)
    const ended = await events
    assert.ok(ended.isWhole)
    assert.match(ended.text, /^data: 1\n\nretry: [1-5]\d{3}\n\n$/)
    assert.match(await askAgain(), /^HTTP\/1\.1 200 [^]*\r\nconnection: close\r\n/i)
    // An upload is read to its end, slow as it is.
    for (let n = 0; n < 6; n++) {
      slow.send(1000)
      await new Promise(resolve => setTimeout(resolve, 500))
    }
    slow.end()
    assert.deepEqual(await slow.answer, { status: 200, connection: 'close', text: '{"bytes":7000}' })
    // A stream that has an end comes to it.
    const streamed = await stream
    assert.ok(streamed.isWhole)
    assert.equal(streamed.text.trimEnd().split('\n').length, 20)

    assert.deepEqual(await server.exited, { code: 0, signal: null })
    assert.deepEqual(workers.filter(isRunning), [])
    await assert.rejects(fetch(server.url))
    // Everybody's clean-up has run, what was deferred is done, and only then the app ended, in both workers.
    assert.deepEqual(await record(), [
      'deferred',
      'events: APP_STREAM_ENDED',
      'lifespan',
      'lifespan',
      'socket',
      'stream: 20',
    ])
  })

  test('cuts at the end of the grace time what has not come to its end, says what is lost, and ends with code 0', async context => {
    const { server, record } = await leaving(context, ['--grace-timeout', '1s'])
    const stream = fetch(`${server.url}/stream/1000`).then(readAll)
    const slow = upload(server)
    slow.send(1000)
    assert.equal((await fetch(`${server.url}/deferred/600000`, { method: 'POST' })).status, 200)
    await server.statusWhen(({ total }) => total.inflight === 2)
    server.signal('SIGTERM')
    assert.equal((await stream).isWhole, false)
    await assert.rejects(slow.answer)
    assert.deepEqual(await server.exited, { code: 0, signal: null })
    assert.match(server.errors, /1 deferred task\(s\) lost: not done within \d+(?:\.\d+)? ms of draining/)
    // `signal` tells a stream that it is over, and the app is still ended.
    assert.deepEqual(await record(), ['lifespan', 'lifespan', 'stream: cut'])
  })
})

test('HUP drains the old worker by the same rules while the new one serves', { timeout: 240_000 }, async context => {
  const { server, record } = await leaving(context, ['--workers', '1'])
  const stream = fetch(`${server.url}/stream/12`).then(readAll)
  const events = fetch(`${server.url}/events`).then(readAll)
  const slow = upload(server)
  slow.send(1000)
  assert.equal((await fetch(`${server.url}/deferred/2000`, { method: 'POST' })).status, 200)
  const { workers } = await server.statusWhen(({ total }) => total.inflight === 3)
  server.signal('SIGHUP')
  assert.match((await events).text, /retry: /)
  // The one that came first still has the stream and the upload.
  // A connection of its own: those that fetch keeps belong to the old one.
  const askAgain = await keptConnection(server)
  assert.doesNotMatch(await askAgain(), new RegExp(`"pid":${workers[0]!.pid}\\b`))
  slow.end()
  assert.equal((await slow.answer).text, '{"bytes":1000}')
  assert.equal((await stream).isWhole, true)
  await server.says(/reloaded 1 worker/)
  assert.deepEqual(await record(), ['deferred', 'events: APP_STREAM_ENDED', 'lifespan', 'stream: 12'])
})
