// Comparing secrets without telling, by the time it takes, how much of a guess was right.
import { createHmac, randomBytes, timingSafeEqual as equalBytes } from 'node:crypto'

// A key of this process: what is compared are values that nobody outside can compute, of one length whatever was sent.
const key = randomBytes(32)

/** Whether two texts are equal; the time it takes depends on the length of each and on nothing else. */
export function timingSafeEqual(a: string, b: string): boolean {
  return equalBytes(digest(a), digest(b))
}

function digest(text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
