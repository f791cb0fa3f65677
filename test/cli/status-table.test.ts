import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lasted, short, statusTable } from '../../src/cli/status-table.ts'
import { NO_COUNTS } from '../../src/server/counters.ts'
import type { ServerStatus } from '../../src/server/status.ts'

const counters = { ...NO_COUNTS, requests: [0, 0, 12, 0, 0, 0], connections: 4, heapBytes: 2 ** 24, rssBytes: 2 ** 26 }
const status: ServerStatus = {
  title: 'Shop',
  pid: 70,
  url: 'http://127.0.0.1:8000',
  hasStarted: true,
  isStopping: false,
  upForMs: 75_000,
  wantedWorkers: 2,
  leader: 1,
  restarts: 1,
  reloads: 3,
  connectionSkew: 0.25,
  recycles: { requests: 0, age: 0, memory: 0 },
  total: counters,
  workers: [{ number: 1, pid: 77, state: 'ready', readyForMs: 10_000, counters }],
}

test('a person reads who it is and how each worker is', () => {
  assert.equal(
    statusTable(status),
    `Shop  http://127.0.0.1:8000  pid 70  up 1m
1 of 2 workers ready, 1 restart, 3 reloads
12 requests, 0 5xx, 0 cut, 0 connections refused

WORKER  PID  STATE   UP  REQUESTS  CONN  BUSY  LOOP  HEAP  RSS
     1   77  ready  10s        12     4     0   0ms   16M  64M
`,
  )
})

test('it fits 80 columns when every number is at its largest', () => {
  const huge = {
    ...counters,
    requests: [0, 0, 999_949_999_999_999, 0, 0, 0],
    connections: 999_999,
    inflight: 999_999,
    loopDelayMs: 99_999,
    heapBytes: 99 * 2 ** 30,
    rssBytes: 99 * 2 ** 30,
  }
  const worker = {
    number: 1024,
    pid: 4_194_304,
    state: 'draining',
    readyForMs: 99 * 86_400_000,
    counters: huge,
  } as const
  const title = 'An API with a title that nobody would ever want to read to its end'
  for (const line of statusTable({ ...status, title, total: huge, workers: [worker] }).split('\n'))
    assert.ok(line.length <= 80, `${line.length}: ${line}`)
})

test('a loop that stood still for long is told in seconds', () => {
  const worker = { ...status.workers[0]!, counters: { ...counters, loopDelayMs: 14_123 } }
  assert.match(statusTable({ ...status, workers: [worker] }), / 14s +16M +64M\n$/)
})

test('numbers and times are short', () => {
  assert.deepEqual([0, 9_999, 12_345, 999_960, 123_456_789, 5e12].map(short), [
    '0',
    '9999',
    '12.3k',
    '1000k',
    '123M',
    '5.0T',
  ])
  const times = [999, 59_999, 60_000, 3_600_000 * 3 + 60_000 * 12, 86_400_000 * 9 + 3_600_000 * 4, 86_400_000 * 400]
  assert.deepEqual(times.map(lasted), ['0s', '59s', '1m', '3h12m', '9d4h', '400d'])
})
