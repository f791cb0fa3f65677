import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Candidate, LeaderSeat } from '../../src/server/leader-seat.ts'

function workers(...states: string[]) {
  const told: number[] = []
  const all = states.map(
    (state, n) => ({ number: n + 1, state, send: () => void told.push(n + 1) }) satisfies Candidate,
  )
  const members = new Set(all)
  return { all, members, told, seat: new LeaderSeat<(typeof all)[number]>(members) }
}

describe('the seat of the leader', () => {
  test('goes to the lowest number that is ready, and to nobody else while it is taken', () => {
    const { all, told, seat } = workers('starting', 'ready', 'ready')
    seat.fill()
    assert.equal(seat.leader, 2)
    all[0]!.state = 'ready'
    seat.fill()
    assert.deepEqual(told, [2])
  })

  test('is free again when who has it resigns or is gone, and not when another goes', () => {
    const { all, members, told, seat } = workers('ready', 'ready', 'ready')
    seat.fill()
    seat.leave(all[2]!)
    assert.deepEqual([seat.leader, told], [1, [1]])
    all[0]!.state = 'draining'
    seat.leave(all[0]!)
    assert.equal(seat.leader, 2)
    members.delete(all[1]!)
    seat.leave(all[1]!)
    assert.deepEqual([seat.leader, told], [3, [1, 2, 3]])
    all[2]!.state = 'draining'
    seat.leave(all[2]!)
    assert.equal(seat.leader, undefined)
    all[2]!.state = 'ready'
    seat.fill()
    assert.equal(seat.leader, 3)
  })

  test('stays empty while it is closed, which is done when who has it has left', async () => {
    const { all, seat } = workers('ready', 'ready')
    seat.fill()
    let isEmpty = false
    const emptied = seat.close().then(() => (isEmpty = true))
    seat.fill()
    await Promise.resolve()
    assert.deepEqual([seat.leader, isEmpty], [1, false])
    seat.leave(all[0]!)
    await emptied
    assert.equal(seat.leader, undefined)
    await seat.close()
    seat.open()
    assert.equal(seat.leader, 1)
  })
})
