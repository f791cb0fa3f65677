import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { batch } from 'millrace/cache'

const turn = () => new Promise(resolve => setImmediate(resolve))

/** Doubles numbers, and writes down what it was asked for. */
function doubling(maxKeys?: number) {
  const asked: (readonly number[])[] = []
  const numbers = batch<number, number>(
    async keys => {
      asked.push(keys)
      await turn()
      return new Map(keys.map(key => [key, 2 * key]))
    },
    { maxKeys },
  )
  return { numbers, asked }
}

describe('a batch', () => {
  test('is what one loop turn asks for, each key once', async () => {
    const { numbers, asked } = doubling()
    const first = [1, 2, 1, 3].map(key => numbers.load(key))
    // Behind awaits, and still in the same turn.
    const later = Promise.resolve()
      .then(() => undefined)
      .then(() => numbers.load(4))
    assert.deepEqual(await Promise.all([...first, later]), [2, 4, 2, 6, 8])
    assert.equal(await numbers.load(1), 2)
    assert.deepEqual(asked, [[1, 2, 3, 4], [1]])
  })

  test('holds no more keys than it may', async () => {
    const { numbers, asked } = doubling(2)
    assert.deepEqual(await numbers.loadMany([1, 2, 3, 4, 5]), [2, 4, 6, 8, 10])
    assert.deepEqual(asked, [[1, 2], [3, 4], [5]])
  })

  test('gives undefined for a key without a value', async () => {
    const some = batch<string, number>(() => new Map([['a', 1]]))
    assert.deepEqual(await some.loadMany(['a', 'b']), [1, undefined])
  })

  test('takes an array in the order of the keys, and an error for one of them', async () => {
    const wrong = new Error('no such code')
    const some = batch<string, number>(keys => keys.map(key => (key === 'b' ? wrong : key.length)))
    const [a, b, c] = await Promise.allSettled(['a', 'b', 'ccc'].map(key => some.load(key)))
    assert.deepEqual(
      [a, c],
      [
        { status: 'fulfilled', value: 1 },
        { status: 'fulfilled', value: 3 },
      ],
    )
    assert.equal((b as PromiseRejectedResult).reason, wrong)
  })

  test('that fails, at once or later, fails for all its callers, and the next is loaded afresh', async () => {
    let fails = 2
    const some = batch<number, number>(keys => {
      if (fails-- === 2) throw new Error('at once')
      return fails === 0 ? Promise.reject(new Error('later')) : new Map(keys.map(key => [key, key]))
    })
    for (const message of [/at once/, /later/]) {
      const both = await Promise.allSettled([some.load(1), some.load(2)])
      for (const { reason } of both as PromiseRejectedResult[]) assert.match(String(reason), message)
    }
    assert.equal(await some.load(1), 1)
  })

  for (const [what, gives] of [
    ['too few values', [1]],
    ['nothing', undefined],
    ['an object', { 1: 1 }],
  ] as const)
    test(`that gives ${what} is refused`, async () => {
      const some = batch<number, number>(() => gives as never)
      for (const { reason } of (await Promise.allSettled([some.load(1), some.load(2)])) as PromiseRejectedResult[])
        assert.equal((reason as { code: string }).code, 'CACHE_BAD_BATCH')
    })

  test('of no key at all cannot be asked for', () => {
    for (const maxKeys of [0, -1, NaN])
      assert.throws(() => batch(() => new Map(), { maxKeys }), { code: 'CACHE_BAD_LIMIT' })
  })
})

describe('a caller that leaves', () => {
  const failing = (promise: Promise<unknown>) => assert.rejects(promise, /gone/)

  /** Waits for a word, and remembers its signal. */
  function waiting() {
    const word = Promise.withResolvers<void>()
    const seen: { keys: readonly number[]; signal: AbortSignal }[] = []
    const numbers = batch<number, number>(async (keys, { signal }) => {
      seen.push({ keys, signal })
      await word.promise
      return new Map(keys.map(key => [key, key]))
    })
    return { numbers, seen, word }
  }

  test('leaves alone: others of the batch, and of the same key, have their values', async () => {
    const { numbers, seen, word } = waiting()
    const gone = new AbortController()
    const left = failing(numbers.load(1, { signal: gone.signal }))
    const others = [numbers.load(1), numbers.load(2, { signal: new AbortController().signal })]
    await turn()
    gone.abort(new Error('gone'))
    await left
    assert.equal(seen[0]!.signal.aborted, false)
    word.resolve()
    assert.deepEqual(await Promise.all(others), [1, 2])
  })

  test('before the batch is sent takes its key along', async () => {
    const { numbers, seen, word } = waiting()
    const gone = new AbortController()
    const left = failing(numbers.load(1, { signal: gone.signal }))
    const other = numbers.load(2)
    gone.abort(new Error('gone'))
    await left
    word.resolve()
    await other
    assert.deepEqual(
      seen.map(({ keys }) => keys),
      [[2]],
    )
  })

  test('and is the last aborts the load', async () => {
    const { numbers, seen, word } = waiting()
    const gone = [new AbortController(), new AbortController(), new AbortController()]
    const left = gone.map(({ signal }, n) => failing(numbers.load(n % 2, { signal })))
    await turn()
    gone[0]!.abort(new Error('gone'))
    gone[1]!.abort(new Error('gone'))
    assert.equal(seen[0]!.signal.aborted, false)
    gone[2]!.abort(new Error('gone'))
    assert.equal(seen[0]!.signal.aborted, true)
    await Promise.all(left)
    word.resolve()
  })

  test('and everybody before the batch is sent: nothing is loaded', async () => {
    const { numbers, seen } = waiting()
    const gone = new AbortController()
    const left = failing(numbers.load(1, { signal: gone.signal }))
    gone.abort(new Error('gone'))
    await left
    await turn()
    await turn()
    assert.deepEqual(seen, [])
  })

  test('that had left before it asked asks for nothing', async () => {
    const { numbers, seen } = waiting()
    await failing(numbers.load(1, { signal: AbortSignal.abort(new Error('gone')) }))
    await turn()
    assert.deepEqual(seen, [])
  })
})

test('whoever asks for what and leaves when, everybody who stays has the value of its key', async () => {
  const caller = fc.record({
    key: fc.nat({ max: 5 }),
    turns: fc.nat({ max: 3 }),
    leavesAfter: fc.option(fc.nat({ max: 4 })),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(caller, { maxLength: 30 }), fc.integer({ min: 1, max: 4 }), async (callers, maxKeys) => {
      const { numbers, asked } = doubling(maxKeys)
      await Promise.all(
        callers.map(async ({ key, turns, leavesAfter }) => {
          for (let n = 0; n < turns; n++) await turn()
          const gone = new AbortController()
          const value = numbers.load(key, { signal: gone.signal })
          void (async () => {
            for (let n = 0; n < (leavesAfter ?? 0); n++) await turn()
            if (leavesAfter !== null) gone.abort(new Error('gone'))
          })()
          if (leavesAfter === null) assert.equal(await value, 2 * key)
          else
            await value.then(
              value => assert.equal(value, 2 * key),
              error => assert.match(String(error), /gone/),
            )
        }),
      )
      for (const keys of asked) assert.ok(keys.length <= maxKeys && new Set(keys).size === keys.length)
    }),
  )
})
