// HTTPS and HTTP/2 with real processes: what happens to sessions, certificates and requests when workers come and go.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import http2 from 'node:http2'
import { after, describe, test } from 'node:test'
import tls from 'node:tls'
import { Authority, needsOpenssl } from '../server/support/certificates.ts'
import { RunningCommand, type RunningServer, startServer } from './running-server.ts'
import { SteadyLoad } from './steady-load.ts'

const limit = { timeout: 240_000, ...needsOpenssl }
const authority = needsOpenssl.skip === false ? new Authority() : (undefined as unknown as Authority)
after(() => authority?.remove())

/** A connection for the load: HTTP/1.1 over TLS. */
function dial(server: RunningServer, options: tls.ConnectionOptions = {}): tls.TLSSocket {
  return tls.connect({ port: server.port, host: '127.0.0.1', ca: authority.pem, ...options })
}

async function certificateOf(server: RunningServer): Promise<string> {
  const socket = dial(server)
  await once(socket, 'secureConnect')
  const { subject } = socket.getPeerX509Certificate()!
  socket.destroy()
  return subject
}

/**
 * Sessions that ask one after the other without pause, and go on with a new one when GOAWAY has come. What was asked behind it was not
 * processed, and is asked again (RFC 9113 §6.8); anything else that has no answer is broken.
 */
class SessionLoad {
  readonly #url: string
  readonly #done: Promise<unknown>
  #isOver = false
  answered = 0
  goaways = 0
  readonly broken: string[] = []

  constructor(url: string, sessions: number) {
    this.#url = url
    this.#done = Promise.all(Array.from({ length: sessions }, () => this.#keepAsking()))
  }

  async more(count: number): Promise<void> {
    const until = this.answered + count
    while (this.answered < until) await new Promise(resolve => setTimeout(resolve, 5))
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.#done
  }

  async #keepAsking(): Promise<void> {
    while (!this.#isOver) {
      const session = http2.connect(this.#url, { ca: authority.pem })
      let last: number | undefined
      session.on('error', () => {})
      session.on('goaway', (code, lastStream) => {
        this.goaways++
        last = lastStream
        if (code !== 0) this.broken.push(`GOAWAY ${code}`)
      })
      while (!this.#isOver && last === undefined && !session.closed) {
        const stream = session.request({ ':path': '/' })
        stream.on('error', () => {})
        let [status, body] = [0, '']
        stream.on('response', fields => (status = Number(fields[':status'])))
        stream.setEncoding('utf8').on('data', (text: string) => (body += text))
        await once(stream, 'close').catch(() => {})
        if (status === 200 && body.endsWith('}')) this.answered++
        else if (last === undefined || (stream.id ?? Infinity) <= last)
          this.broken.push(`stream ${stream.id} of ${last}: ${status}, code ${stream.rstCode}`)
      }
      session.close()
    }
  }
}

describe('HTTPS by workers', limit, () => {
  const files = needsOpenssl.skip === false ? authority.issue('first') : { cert: '', key: '' }
  const flags = [
    'serve',
    'steady.ts',
    '--port',
    '0',
    '--workers',
    '2',
    '--tls-cert',
    files.cert,
    '--tls-key',
    files.key,
  ]

  test('a session begun with one worker is resumed with the other, and after HUP with new ones', async context => {
    const server = await startServer(context, [...flags, '--keep-alive-timeout', '300ms'])
    assert.match(server.url, /^https:/)
    const ask = async (session?: Buffer) => {
      const socket = dial(server, session === undefined ? {} : { session })
      // Before the connection is used up: a resumed one may bring none.
      const tickets: Buffer[] = []
      socket.on('session', (ticket: Buffer) => tickets.push(ticket))
      await once(socket, 'secureConnect')
      const isReused = socket.isSessionReused()
      socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
      let text = ''
      socket.setEncoding('utf8').on('data', (piece: string) => (text += piece))
      await once(socket, 'close')
      const pid = Number(/"pid":(\d+)/.exec(text)![1])
      return { pid, isReused, ticket: tickets[0] }
    }
    const first = await ask()
    assert.equal(first.isReused, false)
    assert.ok(first.ticket)
    const resumedBy = async (isOther: (pid: number) => boolean): Promise<void> => {
      for (let n = 0; n < 1000; n++) {
        const answer = await ask(first.ticket)
        assert.equal(answer.isReused, true, `by worker ${answer.pid}`)
        if (isOther(answer.pid)) return
      }
      assert.fail('the other worker never accepted')
    }
    await resumedBy(pid => pid !== first.pid)
    const before = (await server.status()).workers.map(({ pid }) => pid)
    server.signal('SIGHUP')
    await server.says(/reloaded 2 workers/)
    await resumedBy(pid => !before.includes(pid))
  })

  test('HUP under load loses no request, over HTTP/1.1 and over HTTP/2', async context => {
    const server = await startServer(context, flags)
    const load = new SteadyLoad(context, () => dial(server), 20)
    const load2 = new SessionLoad(server.url, 10)
    await Promise.all([load.more(100), load2.more(100)])
    server.signal('SIGHUP')
    await server.says(/reloaded 2 workers/)
    await Promise.all([load.more(100), load2.more(100)])
    await Promise.all([load.stop(), load2.stop()])
    assert.deepEqual(load.broken, [])
    assert.deepEqual(load2.broken, [])
    assert.ok(load2.goaways > 0)
  })

  test('a certificate that is renewed under load is used without a restart, and no request fails', async context => {
    const old = authority.issue('old')
    const next = authority.issue('renewed')
    const server = await startServer(context, [
      'serve',
      'steady.ts',
      '--port',
      '0',
      '--tls-cert',
      old.cert,
      '--tls-key',
      old.key,
    ])
    const load = new SteadyLoad(context, () => dial(server), 20)
    const load2 = new SessionLoad(server.url, 5)
    assert.equal(await certificateOf(server), 'CN=old')
    await Promise.all([load.more(50), load2.more(50)])
    renameSync(next.key, old.key)
    renameSync(next.cert, old.cert)
    await server.says(/has changed: new connections get the new certificate/)
    assert.equal(await certificateOf(server), 'CN=renewed')
    await Promise.all([load.more(50), load2.more(50)])
    await Promise.all([load.stop(), load2.stop()])
    assert.deepEqual(load.broken, [])
    assert.deepEqual(load2.broken, [])
    const { workers } = await server.status()
    assert.equal(workers.length, 1)
  })

  test('USR1 reads the certificate again at once, and one that cannot be used is not taken', async context => {
    const files = authority.issue('one.test')
    const server = await startServer(context, [
      ...['serve', 'steady.ts', '--port', '0', '--workers', '2', '--keep-alive-timeout', '500ms'],
      ...['--tls-cert', files.cert, '--tls-key', files.key],
    ])
    assert.match(await certificateOf(server), /one\.test/)
    server.signal('SIGUSR1')
    await server.says(/was read again, as asked[^]*was read again, as asked/)
    writeFileSync(files.cert, 'no certificate')
    server.signal('SIGUSR1')
    await server.says(/the certificate is not read again, the old one stays/)
    assert.match(await certificateOf(server), /one\.test/)
  })

  test('a certificate that cannot be used stops the start before anything listens, and a reload leaves the old workers', async context => {
    const other = authority.issue('other')
    const bad = new RunningCommand([...flags.slice(0, -1), other.key, '--admin', 'off'])
    assert.deepEqual(await bad.exited, { code: 2, signal: null })
    assert.match(bad.errors, /error: the key in .*other\.key does not belong to the first certificate in/)
    const own = authority.issue('own')
    const server = await startServer(context, [
      'serve',
      'steady.ts',
      '--port',
      '0',
      '--tls-cert',
      own.cert,
      '--tls-key',
      own.key,
    ])
    const kept = readFileSync(own.cert)
    renameSync(other.cert, own.cert)
    server.signal('SIGHUP')
    await server.says(/not reloaded, the old workers go on: the key in .* does not belong/)
    assert.equal(await certificateOf(server), 'CN=own')
    assert.ok(kept.length > 0)
  })

  const hasH2load = spawnSync('h2load', ['--version']).status === 0
  if (!hasH2load && process.env['CI'])
    throw new Error('h2load (Debian: nghttp2-client) is not here, and with CI set nothing is skipped')
  test(
    'h2load has every one of 20,000 requests answered',
    { skip: hasH2load ? false : 'h2load is not here' },
    async context => {
      const server = await startServer(context, flags)
      const { stdout } = spawnSync('h2load', ['-n', '20000', '-c', '20', '-m', '20', `${server.url}/`], {
        encoding: 'utf8',
        timeout: 240_000,
      })
      assert.match(stdout, /20000 succeeded, 0 failed, 0 errored, 0 timeout/)
      assert.match(stdout, /status codes: 20000 2xx/)
      assert.match(stdout, /Application protocol: h2/)
    },
  )
})
