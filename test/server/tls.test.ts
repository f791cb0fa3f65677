// HTTPS from code: what is agreed on in the handshake, who is refused in it, and what becomes of the certificate.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import http2 from 'node:http2'
import https from 'node:https'
import net from 'node:net'
import { join } from 'node:path'
import { after, afterEach, describe, test } from 'node:test'
import tls from 'node:tls'
import { App } from '../../src/app/app.ts'
import { watchCertificate } from '../../src/server/certificate-watch.ts'
import { readCertificate } from '../../src/server/certificate.ts'
import { StartError } from '../../src/server/errors.ts'
import { serve, type ServeOptions, type Server } from '../../src/server/serve.ts'
import { SETTINGS, type Settings } from '../../src/server/settings.ts'
import { createLogger } from '../../src/observe/logger.ts'
import { Authority, needsOpenssl } from './support/certificates.ts'

const authority = needsOpenssl.skip === false ? new Authority() : (undefined as unknown as Authority)
after(() => authority?.remove())

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

function app(): App {
  const made = new App()
  made.get('/', async ({ client, request }) => ({
    scheme: new URL(request.url).protocol,
    subject: client.certificate?.subject ?? null,
  }))
  return made
}

async function secure(options: ServeOptions = {}, name = 'server'): Promise<Server> {
  const { cert, key } = authority.issue(name)
  const server = await serve(app(), {
    host: '127.0.0.1',
    port: 0,
    signals: false,
    keepAliveTimeout: 100,
    logLevel: 'error',
    tlsCert: cert,
    tlsKey: key,
    ...options,
  })
  cleanups.push(() => server.close())
  return server
}

function ask(server: Server, options: https.RequestOptions = {}): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    https
      .get(server.url, { ca: authority.pem, agent: false, ...options }, response => {
        let body = ''
        response.setEncoding('utf8').on('data', (text: string) => (body += text))
        response.on('end', () => resolve({ status: response.statusCode!, body }))
      })
      .on('error', reject)
  })
}

async function ask2(server: Server): Promise<{ status: number; body: string }> {
  const session = http2.connect(server.url, { ca: authority.pem })
  cleanups.push(() => session.destroy())
  const stream = session.request({ ':path': '/' })
  const [fields] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders]
  let body = ''
  stream.setEncoding('utf8').on('data', (text: string) => (body += text))
  await once(stream, 'close')
  return { status: Number(fields[':status']), body }
}

async function dial(server: Server, options: tls.ConnectionOptions = {}): Promise<tls.TLSSocket> {
  const socket = tls.connect({ port: server.port, host: '127.0.0.1', ca: authority.pem, ...options })
  socket.on('error', () => {})
  cleanups.push(() => socket.destroy())
  await once(socket, 'secureConnect')
  return socket
}

describe('HTTPS', needsOpenssl, () => {
  test('serves HTTP/1.1 and HTTP/2 on one port, as the client chooses', async () => {
    const server = await secure()
    assert.equal(server.url, `https://127.0.0.1:${server.port}`)
    const expected = { status: 200, body: '{"scheme":"https:","subject":null}' }
    assert.deepEqual(await ask(server), expected)
    assert.deepEqual(await ask2(server), expected)
    assert.equal((await dial(server, { ALPNProtocols: ['h2', 'http/1.1'] })).alpnProtocol, 'h2')
    assert.equal((await dial(server, { ALPNProtocols: ['http/1.1'] })).alpnProtocol, 'http/1.1')
    assert.equal((await dial(server)).alpnProtocol, false)
  })

  test('offers no HTTP/2 where it is off', async () => {
    const server = await secure({ http2: 'off' })
    assert.equal((await dial(server, { ALPNProtocols: ['h2', 'http/1.1'] })).alpnProtocol, 'http/1.1')
    await assert.rejects(dial(server, { ALPNProtocols: ['h2'] }))
  })

  test('speaks TLS 1.2 and 1.3, nothing older, and 1.3 alone where that is asked for', async () => {
    const server = await secure()
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await dial(server, { minVersion: version, maxVersion: version })
      assert.equal(socket.getProtocol(), version)
    }
    // At security level 0 the client itself would go down to 1.1.
    await assert.rejects(dial(server, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }))
    const strict = await secure({ tlsMinVersion: '1.3' })
    await assert.rejects(dial(strict, { maxVersion: 'TLSv1.2' }))
  })

  test('answers a plain request in plain words, and closes', async () => {
    const server = await secure()
    const socket = net.connect(server.port, '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    let text = ''
    socket.setEncoding('latin1').on('data', (piece: string) => (text += piece))
    await once(socket, 'close')
    assert.match(text, /^HTTP\/1\.1 400 Bad Request\r\n[^]*This port speaks HTTPS/)
    assert.equal((await ask(server)).status, 200)
  })

  test('a handshake that breaks, breaks off, or does not end in time is closed, and the next client is served', async () => {
    const server = await secure({ tlsHandshakeTimeout: 100 })
    const first = net.connect(server.port, '127.0.0.1')
    first.end('\x16\x03\x01junk and more junk', 'latin1')
    await once(first.resume(), 'close')
    const second = net.connect(server.port, '127.0.0.1')
    await once(second, 'connect')
    second.resetAndDestroy()
    const silent = net.connect(server.port, '127.0.0.1')
    const dripping = net.connect(server.port, '127.0.0.1')
    const drip = setInterval(() => dripping.write(Buffer.from([0x16])), 10)
    dripping.on('error', () => {}).on('close', () => clearInterval(drip))
    await Promise.all([once(silent.resume(), 'close'), once(dripping.resume(), 'close')])
    assert.equal((await ask(server)).status, 200)
  })

  test('a client that leaves within the handshake is let go at once', { timeout: 20_000 }, async () => {
    const server = await secure({ tlsHandshakeTimeout: '60s' })
    for (const said of ['', '\x16\x03\x01\x02\x00\x01']) {
      const leaving = net.connect(server.port, '127.0.0.1')
      leaving.end(said, 'latin1')
      await once(leaving.resume(), 'close')
    }
    assert.equal((await ask(server)).status, 200)
  })

  test('a session is resumed', async () => {
    const server = await secure()
    const first = await dial(server)
    const [session] = (await once(first, 'session')) as [Buffer]
    const second = await dial(server, { session })
    assert.equal(second.isSessionReused(), true)
  })
})

describe('certificates of clients', needsOpenssl, () => {
  test('a client that must show one and does not is refused; one of another authority too', async () => {
    const server = await secure({ tlsCa: authority.path })
    await assert.rejects(ask(server))
    const stranger = new Authority()
    cleanups.push(() => stranger.remove())
    const { cert, key } = stranger.issue('stranger')
    await assert.rejects(ask(server, { cert: readFileSync(cert), key: readFileSync(key) }))
    const known = authority.issue('known')
    const answer = await ask(server, { cert: readFileSync(known.cert), key: readFileSync(known.key) })
    assert.deepEqual(JSON.parse(answer.body), { scheme: 'https:', subject: 'CN=known' })
  })

  test('a client that may show one is served without, and is nobody when it shows one that is not valid', async () => {
    const server = await secure({ tlsCa: authority.path, tlsClients: 'request' })
    assert.equal((JSON.parse((await ask(server)).body) as { subject: unknown }).subject, null)
    const stranger = new Authority()
    cleanups.push(() => stranger.remove())
    const { cert, key } = stranger.issue('stranger')
    const answer = await ask(server, { cert: readFileSync(cert), key: readFileSync(key) })
    assert.equal((JSON.parse(answer.body) as { subject: unknown }).subject, null)
  })
})

describe('a certificate that cannot be used', needsOpenssl, () => {
  const defaults = Object.fromEntries(
    Object.entries(SETTINGS).map(([name, { default: value }]) => [name, value.serve]),
  ) as unknown as Settings
  const refused = async (settings: Partial<Settings>, code: string, message: RegExp): Promise<void> => {
    await assert.rejects(readCertificate({ ...defaults, ...settings }), (error: unknown) => {
      assert.ok(error instanceof StartError)
      assert.equal(error.code, code)
      assert.equal(error.exitCode, 2)
      assert.match(error.message, message)
      return true
    })
  }

  test('is refused by what is wrong with it', async () => {
    const { cert, key } = authority.issue('good')
    const other = authority.issue('other')
    const locked = authority.issue('locked', 'secret')
    const junk = join(authority.folder, 'junk.pem')
    writeFileSync(junk, '-----BEGIN CERTIFICATE-----\nnot one\n-----END CERTIFICATE-----\n')
    await refused({ tlsCert: cert }, 'TLS_INCOMPLETE', /--tls-key is missing/)
    await refused({ tlsKey: key }, 'TLS_INCOMPLETE', /--tls-cert is missing/)
    await refused({ tlsCert: '/nowhere.pem', tlsKey: key }, 'TLS_UNREADABLE', /^\/nowhere\.pem does not exist/)
    await refused({ tlsCert: junk, tlsKey: key }, 'TLS_BAD_CERTIFICATE', /junk\.pem does not begin with a certificate/)
    await refused({ tlsCert: cert, tlsKey: cert }, 'TLS_BAD_KEY', /holds no private key/)
    await refused({ tlsCert: cert, tlsKey: other.key }, 'TLS_MISMATCH', /does not belong to the first certificate/)
    await refused({ tlsCert: cert, tlsKey: key, tlsCa: junk }, 'TLS_BAD_CERTIFICATE', /junk\.pem/)
    const files = { tlsCert: locked.cert, tlsKey: locked.key }
    await refused(files, 'TLS_BAD_KEY', /is encrypted; give its password/)
    await refused({ ...files, tlsKeyPassword: 'wrong' }, 'TLS_BAD_KEY', /cannot be decrypted/)
    assert.ok(await readCertificate({ ...defaults, ...files, tlsKeyPassword: 'secret' }))
    if (process.getuid?.() !== 0) {
      chmodSync(key, 0)
      await refused({ tlsCert: cert, tlsKey: key }, 'TLS_UNREADABLE', /may not be read/)
    }
  })

  test('stops the start, and the app that was started', async () => {
    let isStopped = false
    const started = new App({
      async *lifespan() {
        yield
        isStopped = true
      },
    })
    const { cert } = authority.issue('good')
    await assert.rejects(serve(started, { port: 0, signals: false, tlsCert: cert, tlsKey: cert }), {
      code: 'TLS_BAD_KEY',
    })
    assert.ok(isStopped)
  })
})

describe('a certificate that is renewed', needsOpenssl, () => {
  test('is noticed once it is complete; half of it is logged, and the old one stays', async () => {
    const files = authority.issue('renewed')
    const next = authority.issue('next')
    const lines: string[] = []
    const log = createLogger({ format: 'json', write: line => lines.push(line) })
    const settings = {
      tlsCert: files.cert,
      tlsKey: files.key,
      tlsKeyPassword: '',
      tlsCa: '',
      tlsClients: 'require',
      tlsMinVersion: '1.2',
    } as const
    const changed = Promise.withResolvers<string>()
    // The watch itself keeps no process awake.
    const awake = setInterval(() => {}, 1000)
    cleanups.push(() => clearInterval(awake))
    cleanups.push(watchCertificate(settings, log, ({ cert }) => changed.resolve(cert), 10))
    const told = async (pattern: RegExp) => {
      while (!lines.some(line => pattern.test(line))) await new Promise(resolve => setTimeout(resolve, 5))
    }
    await new Promise(resolve => setTimeout(resolve, 50))
    renameSync(next.cert, files.cert)
    await told(/the old one stays: the key in .* does not belong/)
    renameSync(next.key, files.key)
    assert.equal(await changed.promise, readFileSync(files.cert, 'utf8'))
  })
})
