// Finding one of 1,000 texts that has just been read from the wire, when everything else has been through the processor's caches since.
import { TextTable } from '../../src/core/text-table.ts'
import { compareCalls } from './time.ts'

const COUNT = 1_000
const bytes = Buffer.from('/products/1000')
const table = new TextTable<{ readonly n: number }>(4_096)
const map = new Map<string, { readonly n: number }>()
for (let n = 0; n < COUNT; n++) {
  table.set(`/products/${1_000 + n}`, { n })
  map.set(`/products/${1_000 + n}`, { n })
}
/** As much as the second level of caches holds. */
const others = new Float64Array(2 ** 17)

function text(n: number): string {
  bytes.write(String(1_000 + ((n * 7) % COUNT)), 10, 'latin1')
  return bytes.toString('latin1')
}

function between(n: number): number {
  let sum = 0
  for (let at = n % 8; at < others.length; at += 8 * 16) sum += others[at]!
  return sum
}

compareCalls('a text of 1,000, far away', {
  'the rest alone': count => {
    let sum = 0
    for (let n = 0; n < count; n++) sum += between(n) + text(n).length
    return sum
  },
  'TextTable.get': count => {
    let sum = 0
    for (let n = 0; n < count; n++) sum += between(n) + table.get(text(n))!.n
    return sum
  },
  'Map.get': count => {
    let sum = 0
    for (let n = 0; n < count; n++) sum += between(n) + map.get(text(n))!.n
    return sum
  },
})
