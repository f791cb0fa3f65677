// Who the client is behind real proxies, with the configurations of deploy/. The client sits on 127.0.0.2, so that it can be told from the
// proxy on 127.0.0.1, which alone is trusted.
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import tls from 'node:tls'
import { Client } from '../http/support/connect.ts'
import { freePort, ROOT, type RunningServer, startServer, temporaryFolder } from './running-server.ts'

const CLIENT = '127.0.0.2'

function needs(path: string): { timeout: number; skip: string | false } {
  return { timeout: 240_000, skip: existsSync(path) || process.env['CI'] ? false : `${path} is not installed` }
}

const NGINX = '/usr/sbin/nginx'
const HAPROXY = '/usr/sbin/haproxy'

interface Told {
  readonly client: { readonly address: string; readonly port: number; readonly encrypted: boolean }
  readonly url: string
  readonly forwarded: string | null
}

const start = (context: TestContext, ...args: readonly string[]) =>
  startServer(context, ['serve', 'client.ts', '--keep-alive-timeout', '65s', ...args])

/** A file of deploy/ with other addresses. Each of them must be in it, once. */
async function configured(path: string, changes: Readonly<Record<string, string>>): Promise<string> {
  let text = await readFile(join(ROOT, 'deploy', path), 'utf8')
  for (const [from, to] of Object.entries(changes)) {
    assert.equal(text.split(from).length, 2, `${path} has ${from} once`)
    text = text.replace(from, to)
  }
  return text
}

/** Runs it until the end of the test; resolves when it listens. */
async function run(context: TestContext, command: readonly string[], port: number): Promise<void> {
  const [file, ...args] = command
  const child: ChildProcess = spawn(file!, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr!.on('data', (text: Buffer) => (said += text.toString()))
  const exited = once(child, 'exit')
  context.after(async () => {
    child.kill('SIGTERM')
    await exited
  })
  for (;;) {
    const socket = net.connect(port, '127.0.0.1')
    const isOpen = await new Promise(resolve => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    })
    socket.destroy()
    if (isOpen) return
    assert.equal(child.exitCode, null, `${file} ended: ${said}`)
    await sleep(20)
  }
}

async function startNginx(context: TestContext, upstream: string): Promise<number> {
  const folder = await temporaryFolder(context)
  const port = await freePort()
  const site = await configured('nginx/millrace.conf', {
    'server 127.0.0.1:8000;': `server ${upstream};`,
    'listen 80;': `listen 127.0.0.1:${port};`,
  })
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(kind => `${kind}_temp_path ${folder}/${kind};`)
  const main = `pid ${folder}/pid; error_log stderr; daemon off; events {} http { access_log off; ${paths.join(' ')} include site.conf; }`
  // As root its workers would otherwise be somebody who may not look into the folder.
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  await writeFile(join(folder, 'site.conf'), site)
  await writeFile(join(folder, 'nginx.conf'), user + main)
  await run(context, [NGINX, '-p', folder, '-c', 'nginx.conf', '-e', 'stderr'], port)
  return port
}

async function startHaproxy(
  context: TestContext,
  file: string,
  server: RunningServer,
  changes: Readonly<Record<string, string>> = {},
): Promise<number> {
  const folder = await temporaryFolder(context)
  const port = await freePort()
  const text = await configured(`haproxy/${file}`, {
    '127.0.0.1:8000': `127.0.0.1:${server.port}`,
    'bind :80': `bind 127.0.0.1:${port}`,
    'check port 9000': `check port ${new URL(server.admin).port}`,
    ...changes,
  })
  await writeFile(join(folder, 'haproxy.cfg'), text)
  await run(context, [HAPROXY, '-db', '-f', join(folder, 'haproxy.cfg')], port)
  return port
}

/** Made by openssl for this test alone; key and certificate in one file, as HAProxy wants them. */
async function certificate(context: TestContext): Promise<string> {
  const folder = await temporaryFolder(context)
  const [key, cert, both] = ['key.pem', 'cert.pem', 'both.pem'].map(name => join(folder, name)) as [
    string,
    string,
    string,
  ]
  const kind = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=shop.example',
  ]
  execFileSync('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', cert], { stdio: 'ignore' })
  await writeFile(both, `${await readFile(cert, 'utf8')}${await readFile(key, 'utf8')}`, { mode: 0o600 })
  return both
}

/** From 127.0.0.2, over a connection of its own. */
async function dial(
  context: TestContext,
  port: number,
  localAddress = CLIENT,
): Promise<{ client: Client; localPort: number }> {
  const socket = net.connect({ port, host: '127.0.0.1', localAddress, allowHalfOpen: true })
  await once(socket, 'connect')
  const client = new Client(socket, () => {})
  context.after(() => client.destroy())
  return { client, localPort: socket.localPort! }
}

const SPOOFED = [
  'X-Forwarded-For: 6.6.6.6',
  'X-Forwarded-For: 127.0.0.1',
  'X-Forwarded-Proto: https',
  'X-Forwarded-Host: evil.example',
  'Forwarded: for=6.6.6.6;host=evil.example;proto=https',
]

const get = (...lines: readonly string[]) =>
  ['GET / HTTP/1.1', 'Host: shop.example:8080', ...lines, '', ''].join('\r\n')

async function ask(client: Client, count: number, ...lines: readonly string[]): Promise<Told> {
  client.write(get(...lines))
  const answer = (await client.answers(count))[count - 1]!
  assert.equal(answer.status, 200, answer.body)
  return JSON.parse(answer.body) as Told
}

async function asksAsItself(context: TestContext, port: number): Promise<void> {
  const { client } = await dial(context, port)
  const honest = await ask(client, 1)
  assert.deepEqual([honest.client.address, honest.url], [CLIENT, 'http://shop.example:8080/'])
  const spoofing = await ask(client, 2, ...SPOOFED)
  assert.deepEqual([spoofing.client.address, spoofing.url], [CLIENT, 'http://shop.example:8080/'])
  assert.match(spoofing.forwarded!, /6\.6\.6\.6/)
}

describe('behind nginx', needs(NGINX), () => {
  test('the address of the client arrives, and what the client itself says about it does not count', async context => {
    const server = await start(context, '--port', '0', '--trusted-proxies', '127.0.0.1')
    await asksAsItself(context, await startNginx(context, `127.0.0.1:${server.port}`))
    // The same words straight from a client that is no proxy.
    const { client } = await dial(context, server.port)
    const direct = await ask(client, 1, ...SPOOFED)
    assert.deepEqual([direct.client.address, direct.url], [CLIENT, 'http://shop.example:8080/'])
  })

  test('connections are kept from one request to the next', async context => {
    const server = await start(context, '--port', '0', '--trusted-proxies', '127.0.0.1')
    const port = await startNginx(context, `127.0.0.1:${server.port}`)
    for (let n = 0; n < 10; n++) {
      const { client } = await dial(context, port)
      for (let count = 1; count <= 3; count++) await ask(client, count)
      client.destroy()
    }
    const status = await server.statusWhen(({ total }) => total.requests[2] === 30)
    assert.equal(status.total.accepted, 1)
  })

  test('on a unix socket the address arrives as well', async context => {
    const path = join(await temporaryFolder(context), 's')
    await start(context, '--uds', path, '--trusted-proxies', 'unix')
    await asksAsItself(context, await startNginx(context, `unix:${path}`))
  })
})

describe('behind HAProxy', needs(HAPROXY), () => {
  test('that speaks HTTP the address arrives, nobody can invent one, and connections are kept', async context => {
    const server = await start(context, '--port', '0', '--trusted-proxies', '127.0.0.1')
    const port = await startHaproxy(context, 'millrace-http.cfg', server)
    await asksAsItself(context, port)
    const before = (await server.statusWhen(({ total }) => total.requests[2] === 2)).total.accepted
    const { client } = await dial(context, port)
    for (let count = 1; count <= 20; count++) await ask(client, count)
    const { total } = await server.statusWhen(({ total }) => total.requests[2] === 22)
    assert.ok(total.accepted - before <= 1, `${total.accepted - before} connections for 20 requests`)
  })

  for (const version of ['send-proxy', 'send-proxy-v2'])
    test(`that passes bytes on, address and port arrive by ${version}, and nobody can invent one`, async context => {
      const server = await start(context, '--port', '0', '--trusted-proxies', '127.0.0.1', '--proxy-protocol', 'on')
      const port = await startHaproxy(context, 'millrace-tcp.cfg', server, { 'send-proxy-v2': version })
      for (let n = 0; n < 3; n++) {
        const { client, localPort } = await dial(context, port)
        for (let count = 1; count <= 3; count++) {
          const { client: told, url } = await ask(client, count, ...SPOOFED)
          assert.deepEqual([told.address, told.port, url], [CLIENT, localPort, 'http://shop.example:8080/'])
        }
      }
      // From a client that is no proxy the header is a request, and a bad one.
      const { client } = await dial(context, server.port)
      client.write(`PROXY TCP4 6.6.6.6 127.0.0.1 1 2\r\n${get()}`)
      assert.equal((await client.ended())[0]!.status, 501)
      assert.equal((await server.status()).total.refused['proxy-header'], 0)
    })

  test('that ends TLS itself, its header says so, with a checksum', async context => {
    const server = await start(context, '--port', '0', '--trusted-proxies', '127.0.0.1', '--proxy-protocol', 'on')
    const tlsPort = await freePort()
    const plainPort = await startHaproxy(context, 'millrace-tcp.cfg', server, {
      'frontend public': `frontend public\n    bind 127.0.0.1:${tlsPort} ssl crt ${await certificate(context)}`,
      'send-proxy-v2': 'send-proxy-v2-ssl proxy-v2-options crc32c,ssl-cipher,authority,unique-id',
    })
    const raw = net.connect({ port: tlsPort, host: '127.0.0.1', localAddress: CLIENT })
    const encrypted = tls.connect({ socket: raw, rejectUnauthorized: false })
    const overTls = new Client(encrypted, () => {})
    context.after(() => overTls.destroy())
    const { client: plain } = await dial(context, plainPort)
    for (const [client, url] of [
      [overTls, 'https://shop.example:8080/'],
      [plain, 'http://shop.example:8080/'],
    ] as const) {
      const told = await ask(client, 1)
      assert.deepEqual([told.client.address, told.url], [CLIENT, url])
      assert.equal(told.client.encrypted, client === overTls)
    }
  })

  test('one client has no more connections than it may, whoever else comes through the same proxy', async context => {
    const caps = ['--trusted-proxies', '127.0.0.1', '--proxy-protocol', 'on', '--max-connections-per-address', '2']
    const server = await start(context, '--port', '0', ...caps)
    const port = await startHaproxy(context, 'millrace-tcp.cfg', server)
    const greedy = await Promise.all([1, 2].map(() => dial(context, port)))
    for (const { client } of greedy) await ask(client, 1)
    const third = await dial(context, port)
    third.client.write(get())
    assert.equal((await third.client.ended())[0]!.status, 503)
    const other = await dial(context, port, '127.0.0.3')
    assert.equal((await ask(other.client, 1)).client.address, '127.0.0.3')
    await server.statusWhen(({ total }) => total.refused.address === 1)
  })
})
