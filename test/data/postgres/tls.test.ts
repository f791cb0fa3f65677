// What is said of a server whose certificate is not to be trusted. It speaks PostgreSQL's TLS as far as that: one byte, and the handshake.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { TLSSocket } from 'node:tls'
import { connect } from '../../../src/data/postgres/index.ts'
import { Authority, needsOpenssl } from '../../server/support/certificates.ts'

describe('a certificate', needsOpenssl, () => {
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.write('S')
      new TLSSocket(socket, { isServer: true, ...certificate }).on('error', () => {})
    })
  })
  let authority: Authority
  let certificate: { readonly cert: Buffer; readonly key: Buffer }

  before(async () => {
    authority = new Authority()
    const { cert, key } = authority.issue('example.com')
    certificate = { cert: readFileSync(cert), key: readFileSync(key) }
    await once(server.listen(0, '0.0.0.0'), 'listening')
  })
  after(() => {
    server.close()
    authority.remove()
  })

  const refused = (host: string, query: string, message: RegExp) =>
    assert.rejects(
      connect({ url: `postgresql://me:pa55word@${host}:${(server.address() as AddressInfo).port}/shop?${query}` }),
      (error: Error & { code?: string }) => {
        assert.deepEqual([error.name, error.code], ['PostgresSettingsError', 'POSTGRES_REFUSED'])
        assert.match(error.message, /^PostgreSQL at 127\.0\.0\.\d:\d+\/shop: its certificate is not trusted: /)
        assert.match(error.message, message)
        assert.doesNotMatch(error.message, /pa55word/)
        return true
      },
    )

  test('of an authority that nobody knows ends the start, and says how to name it', () =>
    refused(
      '127.0.0.1',
      'sslmode=verify-full',
      /Name the authority's in the URL, \?sslmode=verify-full&sslrootcert=ca\.pem/,
    ))

  test('for another host as well', () =>
    refused('127.0.0.2', `sslmode=verify-full&sslrootcert=${authority.path}`, /127\.0\.0\.2 is not in the cert's list/))
})
