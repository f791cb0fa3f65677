import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ChunkedDecoder, LengthDecoder, type BodyDecoder } from '../../src/http/body-decoder.ts'
import { DEFAULT_LIMITS } from '../../src/http/limits.ts'
import { ReceiveBuffer } from '../../src/http/receive-buffer.ts'

function decode(decoder: BodyDecoder, pieces: readonly Buffer[]): { body: Buffer; left: Buffer; isDone: boolean } {
  const input = new ReceiveBuffer()
  const body: Buffer[] = []
  let isDone = false
  for (const piece of pieces) {
    input.append(piece)
    if (!isDone) isDone = decoder.decode(input, { push: part => void body.push(part) })
  }
  return { body: Buffer.concat(body), left: Buffer.from(input.bytes.subarray(input.start, input.end)), isDone }
}

function cutAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...cuts.map(cut => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return at
    .slice(1)
    .map((end, n) => bytes.subarray(at[n], end))
    .filter(piece => piece.length > 0)
}

const chunk = fc.record({
  data: fc.uint8Array({ minLength: 1, maxLength: 300 }),
  zeros: fc.nat({ max: 5 }),
  isUpper: fc.boolean(),
  extension: fc.constantFrom('', ';a', ';a=b', ';a="b;\\"\r\n'.replace('\r\n', '') + '"', ';x;y=z'),
})

describe('ChunkedDecoder', () => {
  test('gives back what was put into chunks, wherever it is cut, and leaves what follows', () => {
    fc.assert(
      fc.property(
        fc.array(chunk, { maxLength: 8 }),
        fc.constantFrom('', 'X: y\r\n', 'A: 1\r\nB:\r\n'),
        fc.array(fc.nat(), { maxLength: 15 }),
        (chunks, trailers, cuts) => {
          const wire = Buffer.concat([
            ...chunks.map(({ data, zeros, isUpper, extension }) => {
              const size = '0'.repeat(zeros) + data.length.toString(16)
              return Buffer.concat([
                Buffer.from(`${isUpper ? size.toUpperCase() : size}${extension}\r\n`),
                data,
                Buffer.from('\r\n'),
              ])
            }),
            Buffer.from(`0\r\n${trailers}\r\nGET /next`),
          ])
          const { body, left, isDone } = decode(new ChunkedDecoder(DEFAULT_LIMITS), cutAt(wire, cuts))
          assert.ok(isDone)
          assert.deepEqual(body, Buffer.concat(chunks.map(({ data }) => data)))
          assert.equal(left.toString(), 'GET /next')
        },
      ),
    )
  })

  test('counts the extensions of all chunks together', () => {
    const limits = { ...DEFAULT_LIMITS, maxChunkExtensionBytes: 10, maxExtensionsBytes: 25 }
    const wire = (count: number) => [Buffer.from('1;abcdefgh\r\nx\r\n'.repeat(count))]
    assert.equal(decode(new ChunkedDecoder(limits), wire(2)).body.toString(), 'xx')
    assert.throws(() => decode(new ChunkedDecoder(limits), wire(3)), { code: 'HTTP_CHUNK_EXTENSION_TOO_LONG' })
    assert.throws(() => decode(new ChunkedDecoder(limits), [Buffer.from('1;abcdefghijk\r\n')]), {
      code: 'HTTP_CHUNK_EXTENSION_TOO_LONG',
    })
  })

  test('takes a size of 2^53 - 1 and refuses the next one', () => {
    assert.equal(decode(new ChunkedDecoder(DEFAULT_LIMITS), [Buffer.from('1fffffffffffff\r\nx')]).body.toString(), 'x')
    assert.throws(() => decode(new ChunkedDecoder(DEFAULT_LIMITS), [Buffer.from('20000000000000\r\n')]), {
      code: 'HTTP_BAD_CHUNK',
    })
  })
})

describe('LengthDecoder', () => {
  test('takes exactly its bytes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 200 }),
        fc.array(fc.nat(), { maxLength: 8 }),
        (data, cuts) => {
          const decoder = new LengthDecoder(data.length)
          const { body, left, isDone } = decode(decoder, cutAt(Buffer.concat([data, Buffer.from('rest')]), cuts))
          assert.ok(isDone)
          assert.deepEqual(body, Buffer.from(data))
          assert.equal(left.toString(), 'rest')
          assert.equal(decoder.remaining, 0)
        },
      ),
    )
  })
})
