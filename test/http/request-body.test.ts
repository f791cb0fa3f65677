// A body between who fills it and who reads it.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { IncomingBody } from '../../src/http/request-body.ts'

const bodyOf = () => new IncomingBody({ readOn: () => {} }, 'chunked', undefined, 10_000_000)

describe('a body in small pieces', () => {
  test('is held in few large ones, so that it takes little more memory than its bytes', async () => {
    const body = bodyOf()
    for (let n = 0; n < 100_000; n++) body.push(Buffer.from([n % 256]))
    body.finish()
    let pieces = 0
    let received = 0
    for await (const piece of body) {
      pieces++
      for (const byte of piece) assert.equal(byte, received++ % 256)
    }
    assert.equal(received, 100_000)
    assert.ok(pieces < 30, `${pieces} pieces`)
  })

  test('comes out as it went in, however reading and receiving take turns', async () => {
    const steps = fc.array(fc.oneof(fc.nat({ max: 600 }), fc.constant('read' as const)), { maxLength: 200 })
    await fc.assert(
      fc.asyncProperty(steps, fc.boolean(), async (all, isWhole) => {
        const body = bodyOf()
        const sent: number[] = []
        const got: Uint8Array[] = []
        const reader = isWhole ? undefined : body[Symbol.asyncIterator]()
        let waiting = 0
        for (const step of all) {
          if (step === 'read') {
            // A read that nothing is there for would wait for ever.
            if (reader !== undefined && sent.length > waiting) {
              const { value } = (await reader.next()) as { value: Uint8Array }
              got.push(Uint8Array.from(value))
              waiting += value.length
            }
            continue
          }
          const piece = Buffer.alloc(step + 1, sent.length % 251)
          sent.push(...piece)
          body.push(piece)
        }
        body.finish()
        if (reader === undefined) got.push(await body.bytes())
        else for (let next = await reader.next(); next.done !== true; next = await reader.next()) got.push(next.value)
        assert.deepEqual(Buffer.concat(got), Buffer.from(sent))
      }),
      { numRuns: 200 },
    )
  })
})
