import assert from 'node:assert/strict'
import { test } from 'node:test'
import { handedDescriptor } from '../../src/server/systemd.ts'

test('a socket is taken when it was handed to this very process', () => {
  assert.equal(handedDescriptor({ LISTEN_PID: '7', LISTEN_FDS: '1' }, 7), 3)
  assert.equal(handedDescriptor({ LISTEN_PID: '7', LISTEN_FDS: '1' }, 8), undefined)
  assert.equal(handedDescriptor({ LISTEN_FDS: '1' }, 7), undefined)
  assert.equal(handedDescriptor({ LISTEN_PID: '7', LISTEN_FDS: '0' }, 7), undefined)
  assert.equal(handedDescriptor({ LISTEN_PID: '7' }, 7), undefined)
})

test('more than one is refused, since nobody says which', () => {
  assert.throws(() => handedDescriptor({ LISTEN_PID: '7', LISTEN_FDS: '2' }, 7), { code: 'LISTEN_FAILED', exitCode: 4 })
})
