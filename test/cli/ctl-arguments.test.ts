import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { describe, test } from 'node:test'
import { ctlUsage, readCtlArguments } from '../../src/cli/ctl-arguments.ts'

const read = (line: string, environment = {}) => readCtlArguments(line.split(' ').filter(Boolean), environment)

describe('millrace ctl', () => {
  test('commands become requests, numbers with a sign included', () => {
    assert.deepEqual(read('status').request, { command: 'status' })
    assert.deepEqual(read('scale 4').request, { command: 'scale', to: 4 })
    assert.deepEqual(read('scale +1').request, { command: 'scale', by: 1 })
    assert.deepEqual(read('scale -12').request, { command: 'scale', by: -12 })
    assert.deepEqual(read('stop --quick').request, { command: 'stop', quick: true })
  })

  test('a file is one of this directory, named after the worker when it has no name', () => {
    assert.deepEqual(read('cpu-profile 2 a.cpuprofile --seconds 3').request, {
      command: 'cpu-profile',
      worker: 2,
      file: resolve('a.cpuprofile'),
      seconds: 3,
    })
    const { request } = read('heap-snapshot 2')
    assert.ok(request.command === 'heap-snapshot')
    assert.match(request.file, /^\/.*\/worker-2-\d{8}T\d{6}\.heapsnapshot$/)
  })

  test('the server is named by port or pid, the socket by a flag or the variable', () => {
    assert.equal(read('--server 8000 status').server, 8000)
    assert.equal(read('status --socket /run/a.sock').socket, '/run/a.sock')
    assert.equal(read('status', { MILLRACE_CONTROL_SOCKET: '/run/b.sock' }).socket, '/run/b.sock')
    assert.equal(read('status', { MILLRACE_CONTROL_SOCKET: 'auto' }).socket, undefined)
  })

  const bad: readonly (readonly [line: string, code: string, message: RegExp])[] = [
    ['', 'CLI_UNKNOWN_COMMAND', /needs a command: status, reload/],
    ['sclae 1', 'CLI_UNKNOWN_COMMAND', /no command sclae; did you mean scale\?/],
    ['constructor', 'CLI_UNKNOWN_COMMAND', /no command constructor/],
    ['status --jsno', 'CLI_UNKNOWN_FLAG', /no option --jsno; did you mean --json\?/],
    ['status --json=yes', 'CLI_BAD_OPERAND', /--json takes no value/],
    ['status --server', 'CLI_NO_VALUE', /--server needs a value: PORT\|PID/],
    ['status --server http', 'CLI_BAD_OPERAND', /--server got "http": a whole number/],
    ['scale', 'CLI_BAD_OPERAND', /scale needs a number/],
    ['scale 0', 'CLI_BAD_OPERAND', /scale got "0": a whole number from 1 to 1024/],
    ['drain', 'CLI_BAD_OPERAND', /ctl drain needs to know which worker/],
    ['drain one', 'CLI_BAD_OPERAND', /ctl drain got "one": its number or its pid/],
    ['cpu-profile 1 --seconds 301', 'CLI_BAD_OPERAND', /--seconds got "301"/],
    ['reload now', 'CLI_TOO_MANY', /ctl reload does not take now as well/],
  ]
  for (const [line, code, message] of bad)
    test(`refuses '${line}' with what it expected`, () => {
      assert.throws(
        () => read(line),
        (error: Error & { code: string }) => error.code === code && message.test(error.message),
      )
    })

  test('its help fits 80 columns', () => {
    for (const line of ctlUsage().split('\n')) assert.ok(line.length <= 80, line)
  })
})
