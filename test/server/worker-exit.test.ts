import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endedHow, likelyCause } from '../../src/server/worker-exit.ts'

const byOthers = { isKilledByUs: false, oomKills: 0 }

test('a worker that ended is told with its code or its signal', () => {
  assert.equal(endedHow({ code: 7, signal: null }), 'ended with code 7')
  assert.equal(endedHow({ code: null, signal: 'SIGSEGV' }), 'was killed by SIGSEGV')
})

test('SIGKILL from elsewhere hints at memory, for certain where the kernel has counted a kill', () => {
  const killed = { code: null, signal: 'SIGKILL' } as const
  assert.match(likelyCause(killed, { ...byOthers, oomKills: 1 }), /out of memory: the kernel killed it/)
  assert.match(likelyCause(killed, byOthers), /an operator, or the kernel/)
  assert.equal(likelyCause(killed, { isKilledByUs: true, oomKills: 1 }), '')
})

test('a full heap and process.exit() are what to think of at SIGABRT and code 0', () => {
  assert.match(likelyCause({ code: null, signal: 'SIGABRT' }, byOthers), /heap was full/)
  assert.match(likelyCause({ code: 0, signal: null }, byOthers), /process\.exit\(\)/)
  assert.equal(likelyCause({ code: 3, signal: null }, byOthers), '')
})
