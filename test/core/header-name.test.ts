import assert from 'node:assert/strict'
import { test } from 'node:test'
import { headerName } from '../../src/core/header-name.ts'

test('a name in a schema stands for the header that it means, however it is written', () => {
  const cases = {
    'x-token': 'x-token',
    'X-Token': 'x-token',
    xToken: 'x-token',
    x_token: 'x-token',
    userAgent: 'user-agent',
    ifNoneMatch: 'if-none-match',
    xRequestID: 'x-request-id',
    authorization: 'authorization',
    ETag: 'etag',
    DNT: 'dnt',
    'x-odd_name': 'x-odd_name',
  }
  for (const [name, header] of Object.entries(cases)) assert.equal(headerName(name), header, name)
})
