import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { StartError } from '../../src/server/errors.ts'
import { holdSocket, listenOnAddress, listenOnDescriptor, urlOf } from '../../src/server/listener.ts'

const folder = await mkdtemp(join(tmpdir(), 'millrace-listener-'))
after(() => rm(folder, { recursive: true }))

const hasIpv6 = Object.values(networkInterfaces()).some(all => all?.some(({ address }) => address === '::1'))

const kept: unknown[] = []
const loopback = (port: number) => ({ kind: 'tcp', host: '127.0.0.1', port }) as const
const unix = (name: string) => ({ kind: 'unix', path: join(folder, name) }) as const

function refused(code: string, message: RegExp): (error: unknown) => boolean {
  return error => {
    assert.ok(error instanceof StartError)
    assert.equal(error.code, code)
    assert.equal(error.exitCode, 4)
    assert.match(error.message, message)
    return true
  }
}

describe('the held socket', () => {
  test('port 0 picks a free one, and the name of a host may be used', async () => {
    const held = await holdSocket({ kind: 'tcp', host: 'localhost', port: 0 })
    assert.ok(held.address.kind === 'tcp' && held.address.port > 0 && held.fd > 2)
    held.close()
  })

  test('a busy port is refused by name', async () => {
    const other = net.createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as net.AddressInfo
    await assert.rejects(
      holdSocket(loopback(port)),
      refused('LISTEN_BUSY', new RegExp(`^127\\.0\\.0\\.1:${port} is busy`)),
    )
    await assert.rejects(
      listenOnAddress(loopback(port), 5, { isPlain: true, admit: () => {} }),
      refused('LISTEN_BUSY', /is busy/),
    )
    other.close()
  })

  test('an address that is not of this machine is refused by name', async () => {
    await assert.rejects(
      holdSocket({ kind: 'tcp', host: '192.0.2.1', port: 8080 }),
      refused('LISTEN_FAILED', /^192\.0\.2\.1 is no address of this machine/),
    )
  })

  test('a socket file that nobody listens on is replaced, open to other users, and removed at the end', async () => {
    const address = unix('stale.sock')
    // A server whose file is put back after its end: what kill -9 leaves behind.
    const stale = net.createServer().listen(address.path)
    await once(stale, 'listening')
    const { link, rename } = await import('node:fs/promises')
    await link(address.path, `${address.path}.kept`)
    stale.close()
    await once(stale, 'close')
    await rename(`${address.path}.kept`, address.path)

    const held = await holdSocket(address)
    assert.equal((await stat(address.path)).mode & 0o777, 0o666)
    held.close()
    await assert.rejects(stat(address.path), { code: 'ENOENT' })
  })

  test('a socket file has the mode that is asked for, whoever binds it', async () => {
    const address = { ...unix('mode.sock'), mode: 0o600 }
    const held = await holdSocket(address)
    assert.equal((await stat(address.path)).mode & 0o777, 0o600)
    held.close()
    const { server } = await listenOnAddress(address, 5, { isPlain: true, admit: () => {} })
    assert.equal((await stat(address.path)).mode & 0o777, 0o600)
    server.close()
  })

  test('an inherited descriptor is told by the address it is bound to; one that is no socket is refused', async () => {
    const bound = await holdSocket(loopback(0))
    const held = await holdSocket({ kind: 'descriptor', fd: bound.fd })
    assert.deepEqual(held.address, bound.address)
    // One descriptor by two handles: neither may close it under the other.
    kept.push(bound, held)
    const file = await open(import.meta.filename)
    await assert.rejects(
      holdSocket({ kind: 'descriptor', fd: file.fd }),
      refused('LISTEN_FAILED', /no socket that can be/),
    )
    await file.close()
    await assert.rejects(holdSocket({ kind: 'descriptor', fd: 999 }), refused('LISTEN_FAILED', /was it passed/))
  })

  test(':: serves IPv4 too', { skip: hasIpv6 ? false : 'this machine has no IPv6' }, async () => {
    const held = await holdSocket({ kind: 'tcp', host: '::', port: 0 })
    assert.ok(held.address.kind === 'tcp')
    const seen: (string | undefined)[] = []
    const server = await listenOnDescriptor(held.fd, 5, {
      isPlain: true,
      admit: socket => {
        seen.push(socket.remoteAddress)
        socket.destroy()
      },
    })
    for (const host of ['127.0.0.1', '::1']) await once(net.connect(held.address.port, host).resume(), 'close')
    assert.deepEqual(seen, ['::ffff:127.0.0.1', '::1'])
    server.close()
  })

  test('a socket file that somebody listens on is busy', async () => {
    const address = unix('live.sock')
    const live = net.createServer(socket => socket.end()).listen(address.path)
    await once(live, 'listening')
    await assert.rejects(holdSocket(address), refused('LISTEN_BUSY', /live\.sock is busy/))
    live.close()
  })

  test('a socket file is busy too while the queue of who listens is full', async context => {
    const address = unix('full.sock')
    const script = `require('net').createServer().listen({ path: ${JSON.stringify(address.path)}, backlog: 1 }, () => console.log('listens'))`
    const live = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    const waiting: net.Socket[] = []
    context.after(() => {
      live.kill('SIGKILL')
      for (const socket of waiting) socket.destroy()
    })
    await once(live.stdout, 'data')
    live.kill('SIGSTOP')
    // One after the other, until the kernel takes no more.
    let code: string | undefined
    while (code === undefined) {
      const socket = net.connect(address.path)
      waiting.push(socket)
      code = await new Promise<string | undefined>(resolve => {
        socket.once('connect', () => resolve(undefined))
        socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code))
      })
    }
    assert.equal(code, 'EAGAIN')
    await assert.rejects(holdSocket(address), refused('LISTEN_BUSY', /full\.sock is busy/))
    assert.ok((await stat(address.path)).isSocket())
  })

  test('a file that is no socket is left alone, and a path that is too long refused', async () => {
    const address = unix('notes.txt')
    await writeFile(address.path, 'keep me')
    await assert.rejects(holdSocket(address), refused('LISTEN_FAILED', /exists and is not a socket/))
    assert.equal((await stat(address.path)).size, 7)
    await assert.rejects(holdSocket(unix('x'.repeat(120))), refused('LISTEN_FAILED', /at most 107 bytes/))
  })
})

test('addresses that mean every interface are shown as loopback', () => {
  assert.equal(urlOf({ kind: 'tcp', host: '0.0.0.0', port: 80 }), 'http://127.0.0.1:80')
  assert.equal(urlOf({ kind: 'tcp', host: '::', port: 80 }), 'http://[::1]:80')
  assert.equal(urlOf({ kind: 'tcp', host: '10.0.0.1', port: 80 }), 'http://10.0.0.1:80')
  assert.equal(urlOf({ kind: 'unix', path: '/run/a.sock' }), 'unix:/run/a.sock')
})
