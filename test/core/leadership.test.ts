import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Leadership } from '../../src/core/leadership.ts'

/** A task that notes what happens to it, and ends when it is told, or when its signal has aborted and `finish` was called. */
function recorded(notes: string[], name: string) {
  const finish = Promise.withResolvers<void>()
  return {
    finish: () => finish.resolve(),
    task: async (signal: AbortSignal) => {
      notes.push(`${name} begins`)
      await new Promise(resolve => signal.addEventListener('abort', resolve))
      notes.push(`${name} is told`)
      await finish.promise
      notes.push(`${name} ends`)
    },
  }
}

const turn = () => new Promise(resolve => setImmediate(resolve))

describe('leadership', () => {
  test('begins what was given before and what is given later, once', async () => {
    const notes: string[] = []
    const leadership = new Leadership()
    leadership.add(recorded(notes, 'early').task)
    await turn()
    assert.deepEqual(notes, [])
    leadership.lead()
    leadership.lead()
    leadership.add(recorded(notes, 'late').task)
    await turn()
    assert.deepEqual(notes, ['early begins', 'late begins'])
  })

  test('resigns when all of it has been taken back and has ended', async () => {
    const notes: string[] = []
    const leadership = new Leadership(() => notes.push('resigned'))
    const [one, two] = [recorded(notes, 'one'), recorded(notes, 'two')]
    const ends = [leadership.add(one.task), leadership.add(two.task)]
    leadership.lead()
    await turn()
    const ended = ends.map(end => end())
    await turn()
    one.finish()
    await ended[0]
    assert.deepEqual(notes.splice(0), ['one begins', 'two begins', 'one is told', 'two is told', 'one ends'])
    two.finish()
    await ended[1]
    assert.deepEqual(notes.splice(0), ['two ends', 'resigned'])
    // To take it back again changes nothing.
    await ends[0]!()
    assert.deepEqual(notes, [])
  })

  test('what is taken back before it led never begins, and nothing is resigned', async () => {
    const notes: string[] = []
    const leadership = new Leadership(() => notes.push('resigned'))
    await leadership.add(recorded(notes, 'one').task)()
    leadership.lead()
    await turn()
    assert.deepEqual(notes, [])
  })

  test('one that throws at once has ended', async () => {
    const leadership = new Leadership()
    const end = leadership.add(() => {
      throw new Error('no')
    })
    leadership.lead()
    await end()
  })
})
