import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { SlicedWalk } from '../../src/http/sliced-walk.ts'

describe('a walk in slices', () => {
  test('visits everything once, with what was told at its start', async () => {
    const visits: [number, string][] = []
    const walk = new SlicedWalk((one: number, fact: string) => void visits.push([one, fact]))
    walk.start([1, 2, 3], 'a')
    await over(walk)
    walk.start([4], 'b')
    await over(walk)
    assert.deepEqual(visits, [
      [1, 'a'],
      [2, 'a'],
      [3, 'a'],
      [4, 'b'],
    ])
  })

  test('lets others run in between when it takes long', async () => {
    const events: string[] = []
    const walk = new SlicedWalk((one: string) => {
      const untilMs = performance.now() + 5
      while (performance.now() < untilMs);
      events.push(one)
    })
    setImmediate(() => events.push('another'))
    walk.start(['a', 'b', 'c'])
    await over(walk)
    assert.deepEqual(events, ['a', 'another', 'b', 'c'])
  })

  test('bears that things go while it is under way, and that new ones come', async () => {
    const things = new Set([1, 2, 3, 4])
    const visited: number[] = []
    const walk = new SlicedWalk((one: number) => {
      visited.push(one)
      if (one === 1) things.delete(2)
      if (one === 3) things.add(5)
    })
    walk.start(things)
    await over(walk)
    assert.deepEqual(visited, [1, 3, 4, 5])
  })

  test('ends where a visit stops it', async () => {
    const visited: number[] = []
    const walk: SlicedWalk<number, []> = new SlicedWalk((one: number) => {
      visited.push(one)
      if (one === 2) walk.stop()
    })
    walk.start([1, 2, 3])
    await turn()
    assert.deepEqual([visited, walk.isUnderWay], [[1, 2], false])
  })
})

async function over(walk: { readonly isUnderWay: boolean }): Promise<void> {
  while (walk.isUnderWay) await turn()
}
