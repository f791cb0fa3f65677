import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Metric, provideMetrics, readMetrics } from '../../src/core/metrics.ts'
import { addCounters, NO_COUNTS, RequestCounter, totalsOnly } from '../../src/server/counters.ts'
import { isReady, prometheusText, type ServerStatus } from '../../src/server/status.ts'

const worker = {
  number: 1,
  pid: 77,
  state: 'ready',
  readyForMs: 10,
  counters: { ...NO_COUNTS, connections: 3 },
} as const
const status: ServerStatus = {
  title: 'Shop',
  pid: 70,
  url: 'http://127.0.0.1:8000',
  hasStarted: true,
  isStopping: false,
  upForMs: 10,
  wantedWorkers: 1,
  leader: 1,
  restarts: 2,
  reloads: 0,
  connectionSkew: 0.25,
  recycles: { requests: 3, age: 0, memory: 1 },
  total: { ...NO_COUNTS, requests: [1, 0, 20, 0, 4, 5], accepted: 6 },
  workers: [worker],
}

test('requests are counted by class of status, those without a head apart', () => {
  const counter = new RequestCounter()
  for (const code of [200, 204, 302, 404, 503, 0]) counter.count(code)
  assert.deepEqual(counter.requests, [1, 0, 2, 1, 1, 1])
})

test('what a worker counted stays counted when it is gone, what it had open does not', () => {
  const refused = { full: 3, address: 1, 'proxy-header': 2, 'tls-handshake': 5 }
  const gone = { ...NO_COUNTS, requests: [0, 0, 5, 0, 0, 0], accepted: 2, connections: 9, inflight: 4, refused }
  const total = addCounters(totalsOnly(gone), { ...NO_COUNTS, requests: [0, 0, 1, 0, 0, 0], connections: 1, refused })
  assert.deepEqual(total.requests, [0, 0, 6, 0, 0, 0])
  assert.deepEqual(total.refused, { full: 6, address: 2, 'proxy-header': 4, 'tls-handshake': 10 })
  assert.deepEqual([total.accepted, total.connections, total.inflight], [2, 1, 0])
})

test('ready means started, not stopping, and a worker that accepts', () => {
  assert.equal(isReady(status), true)
  assert.equal(isReady({ ...status, isStopping: true }), false)
  assert.equal(isReady({ ...status, hasStarted: false }), false)
  assert.equal(isReady({ ...status, workers: [{ ...worker, state: 'draining' }] }), false)
})

test('metrics are in the exposition format, each family once', () => {
  const text = prometheusText(status)
  assert.match(text, /^millrace_requests_total\{class="2xx"\} 20$/m)
  assert.match(text, /^millrace_requests_total\{class="cut"\} 1$/m)
  assert.match(text, /^millrace_connections\{worker="1",pid="77"\} 3$/m)
  assert.match(text, /^millrace_worker_restarts_total 2$/m)
  assert.match(text, /^millrace_worker_recycles_total\{reason="memory"\} 1$/m)
  for (const line of text.trimEnd().split('\n'))
    assert.match(line, /^(# (HELP|TYPE) millrace_\w+ .+|millrace_\w+(\{(\w+="[^"]*",?)+\})? \d+(\.\d+)?)$/)
  const types = [...text.matchAll(/^# TYPE (\w+)/gm)].map(match => match[1])
  assert.equal(new Set(types).size, types.length)
})

describe('what drivers and other parts count', () => {
  const labels = { database: 'a "b"\n\\c' }
  const metrics = (open: number, waits: number): readonly Metric[] => [
    { name: 'millrace_x_open', kind: 'gauge', help: 'Open.', samples: [{ labels, value: open }] },
    {
      name: 'millrace_x_wait_seconds',
      kind: 'histogram',
      help: 'Waited.',
      samples: [{ suffix: '_count', labels, value: waits }],
    },
  ]
  const escaped = '"a \\"b\\"\\n\\\\c"'

  test('is shown under its name: what is so now for each worker, totals for all, those who are gone included', () => {
    const gone = totalsOnly({ ...NO_COUNTS, metrics: metrics(9, 2) })
    const alive = { ...worker, counters: { ...NO_COUNTS, metrics: metrics(3, 5) } }
    const text = prometheusText({ ...status, total: addCounters(gone, alive.counters), workers: [alive] })
    assert.ok(text.includes(`\nmillrace_x_open{worker="1",pid="77",database=${escaped}} 3\n`), text)
    assert.ok(
      text.includes(
        `\n# TYPE millrace_x_wait_seconds histogram\nmillrace_x_wait_seconds_count{database=${escaped}} 7\n`,
      ),
    )
  })

  test('is added up where name and labels are the same', () => {
    const first = provideMetrics(() => metrics(1, 1))
    const second = provideMetrics(() => metrics(2, 3))
    assert.deepEqual(readMetrics(), metrics(3, 4))
    second()
    assert.deepEqual(readMetrics(), metrics(1, 1))
    first()
    assert.deepEqual(readMetrics(), [])
  })
})
