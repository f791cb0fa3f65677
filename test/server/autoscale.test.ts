import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Autoscale, type WorkerLimits } from '../../src/server/autoscale.ts'

const limits = { least: 1, most: 4 }

/** So many seconds in which every worker was so busy. @returns the second of the first step and the step, or undefined */
function after(scale: Autoscale, seconds: number, ...utilisations: number[]): readonly [number, number] | undefined {
  return afterIn(limits, scale, seconds, ...utilisations)
}

function afterIn(
  within: WorkerLimits,
  scale: Autoscale,
  seconds: number,
  ...utilisations: number[]
): readonly [number, number] | undefined {
  for (let second = 1; second <= seconds; second++) {
    const by = scale.look(utilisations, within)
    if (by !== 0) return [second, by]
  }
  return undefined
}

describe('the number of workers', () => {
  test('grows by one after five busy seconds in a row, and not by a peak', () => {
    assert.deepEqual(after(new Autoscale(), 10, 0.9), [5, 1])
    const scale = new Autoscale()
    for (let times = 0; times < 10; times++) {
      assert.equal(after(scale, 4, 1), undefined)
      assert.equal(scale.look([0.3], limits), 0)
    }
  })

  test('grows by what all of them do, not by the busiest', () => {
    assert.equal(after(new Autoscale(), 30, 1, 0.3), undefined)
    assert.deepEqual(after(new Autoscale(), 30, 1, 0.5), [5, 1])
  })

  test('stays within its limits', () => {
    assert.equal(after(new Autoscale(), 100, 1, 1, 1, 1), undefined)
    assert.equal(after(new Autoscale(), 200, 0), undefined)
    assert.equal(afterIn({ least: 2, most: 4 }, new Autoscale(), 200, 0, 0), undefined)
  })

  test('that somebody has set outside of them is left alone, but for the way back', () => {
    assert.equal(after(new Autoscale(), 200, 0.9, 0.9, 0.9, 0.9, 0.9), undefined)
    assert.deepEqual(after(new Autoscale(), 200, 0, 0, 0, 0, 0), [60, -1])
    assert.equal(afterIn({ least: 3, most: 4 }, new Autoscale(), 200, 0, 0), undefined)
  })

  test('shrinks after a minute in which one fewer would be enough with room to spare', () => {
    assert.deepEqual(after(new Autoscale(), 100, 0.2, 0.2), [60, -1])
    // One would have 0.5.
    assert.equal(after(new Autoscale(), 300, 0.25, 0.25), undefined)
  })

  test('does not swing: at a steady load it settles and stays', () => {
    for (const load of [0.3, 0.69, 0.8, 1, 1.3, 1.5, 2, 2.7, 3.5]) {
      const scale = new Autoscale()
      let count = 1
      const steps: number[] = []
      for (let second = 0; second < 3_600; second++) {
        const by = scale.look(
          Array.from({ length: count }, () => Math.min(1, load / count)),
          limits,
        )
        if (by === 0) continue
        count += by
        steps.push(by)
      }
      assert.ok(!steps.includes(-1), `${load}: ${steps.join(' ')}`)
      assert.ok(load / count <= 0.7 || count === 4, `${load}: ${count}`)
    }
  })

  test('begins to count anew after a step, and when it is told to', () => {
    const scale = new Autoscale()
    assert.deepEqual(after(scale, 5, 1), [5, 1])
    assert.equal(after(scale, 4, 1, 1), undefined)
    scale.startOver()
    assert.deepEqual(after(scale, 10, 1, 1), [5, 1])
  })
})
