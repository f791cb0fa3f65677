// A small run of what `npm run mutants` does at length, always with the same mutants.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { compared } from './mutants/compare.ts'
import { NodeServer, throughOurs } from './mutants/observe.ts'
import { REASONS } from './mutants/reasons.ts'
import { runMutants } from './mutants/run.ts'

const told = (bytes: Buffer) => JSON.stringify(bytes.toString('latin1'))

describe('random mutants of requests', () => {
  test('are never accepted where node:http refuses them, nor framed otherwise, but for a reason', async () => {
    const { counts, unexplained, broken, cases } = await runMutants({ count: 4000, seed: 1 })
    assert.deepEqual(
      unexplained.map(({ bytes }) => told(bytes)),
      [],
    )
    assert.deepEqual(
      broken.map(({ bytes, error }) => `${told(bytes)} ${String(error)}`),
      [],
    )
    // The run means something only while there is enough of each kind.
    for (const kind of ['both accept', 'both refuse'])
      assert.ok(counts.get(kind)! > cases / 20, `${kind}: ${counts.get(kind)}`)
  })

  test('are the same for the same seed', async () => {
    const [one, two] = [await runMutants({ count: 300, seed: 5 }), await runMutants({ count: 300, seed: 5 })]
    assert.deepEqual(one.counts, two.counts)
  })
})

const EXAMPLES: readonly (readonly [reason: string, request: string])[] = [
  ['HTTP/1.2 is served as 1.1', 'GET / HTTP/1.2\r\nHost: a\r\n\r\n'],
  ['a tab is whitespace', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\t\r\n\r\n5\r\nhello\r\n0\r\n\r\n'],
  [
    'close wins over keep-alive',
    'GET / HTTP/1.0\r\nConnection: close\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n',
  ],
  [
    'an Upgrade that nobody takes is ignored',
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nGET / HTTP/1.0\r\n\r\n',
  ],
]

describe('a reason to differ from node:http', () => {
  test('is there for each example, and has one', () => {
    assert.deepEqual(EXAMPLES.map(([reason]) => reason).sort(), REASONS.map(({ name }) => name).sort())
  })

  for (const [reason, request] of EXAMPLES)
    test(`explains its example: ${reason}`, async () => {
      const bytes = Buffer.from(request, 'latin1')
      const end = new NodeServer().begin(bytes)
      for (const gathers of [true, false]) {
        const ours = await throughOurs({ pieces: [bytes], gathers, halfClose: 'answer' })
        assert.deepEqual(compared(bytes, ours, await end()), { kind: 'explained', name: reason })
      }
    })
})
