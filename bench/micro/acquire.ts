// A permit that is free, taken and given back: without a promise and with one.
import { Limiter } from '../../src/flow/limiter.ts'
import { compareCalls } from './time.ts'

const limiter = new Limiter({ concurrent: 100, queue: 100 })

compareCalls('a free permit', {
  tryAcquire: count => {
    let taken = 0
    for (let i = 0; i < count; i++) {
      if (limiter.tryAcquire()) taken++
      limiter.release()
    }
    return taken
  },
  'acquire, not awaited': count => {
    let last: unknown
    for (let i = 0; i < count; i++) {
      last = limiter.acquire('normal')
      limiter.release()
    }
    return last
  },
})
