import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refusePlatform, surroundingWarnings } from '../../src/server/surroundings.ts'

test('Windows is refused in a sentence that says what to do; Linux and macOS are not', () => {
  assert.throws(() => refusePlatform('win32'), {
    code: 'SERVER_NO_PLATFORM',
    exitCode: 1,
    message:
      /^workers cannot share a port on Windows; run this in WSL or in a container, or serve the app in one process/,
  })
  refusePlatform('linux')
  refusePlatform('darwin')
})

test('process 1 is warned of, with what to do', () => {
  assert.deepEqual(surroundingWarnings(2), [])
  assert.match(
    surroundingWarnings(1).join(),
    /^this is process 1, .*: start it under an init \(docker run --init, or tini in the image\)$/,
  )
})
