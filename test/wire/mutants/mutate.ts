// The ways in which a request is bent. Each takes bytes and gives other bytes; which and where follows from the random numbers.
import type { Random } from './random.ts'

type Mutation = (bytes: Buffer, random: Random, other: () => Buffer) => Buffer

// What parsers have disagreed about: line ends, whitespace of all kinds, separators, bytes that are signs or letters to somebody.
const SPICE = [
  ...['\r', '\n', '\r\n', '\0', ' ', '\t', '\v', '\f', '\x7f', '\x85', '\xa0', '\xff', '\x01', '\x1b'],
  ...[':', ';', ',', '=', '"', '\\', '/', '?', '#', '%', '@', '*', '[', ']', '_', '-', '+', '0', '5', 'x', 'A'],
].map(text => Buffer.from(text, 'latin1'))

const LINES = [
  'Content-Length: 5',
  'Content-Length: 0',
  'content-length: 11',
  'Content-Length: 05',
  'Content-Length: 5, 5',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip',
  'transfer-encoding:chunked ',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: identity',
  'Content_Length: 5',
  'Host: b',
  'Host:',
  'Connection: close',
  'Connection: keep-alive',
  'Connection: upgrade',
  'Upgrade: h2c',
  'Expect: 100-continue',
  ' folded',
  '',
  'GET /smuggled HTTP/1.1',
  '0',
  '5',
]

const VERSIONS = ['HTTP/1.0', 'HTTP/1.1', 'HTTP/1.2', 'HTTP/2.0', 'HTTP/0.9', 'HTTP/1.10', 'http/1.1', 'HTTP/1,1', '']

function spliced(bytes: Buffer, at: number, removed: number, added: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)])
}

const text = (bytes: Buffer) => bytes.toString('latin1')
const bytesOf = (latin1: string) => Buffer.from(latin1, 'latin1')

/** Changes one match of a pattern. */
function replaceOne(bytes: Buffer, random: Random, pattern: RegExp, change: (found: string) => string): Buffer {
  const all = text(bytes)
  const matches = [...all.matchAll(pattern)]
  if (matches.length === 0) return bytes
  const match = random.pick(matches)
  return bytesOf(all.slice(0, match.index) + change(match[0]) + all.slice(match.index + match[0].length))
}

function onLines(bytes: Buffer, change: (lines: string[]) => void): Buffer {
  const lines = text(bytes).split('\r\n')
  change(lines)
  return bytesOf(lines.join('\r\n'))
}

const MUTATIONS: readonly Mutation[] = [
  // Bytes
  (bytes, random) => {
    const copy = Buffer.from(bytes)
    const at = random.below(copy.length)
    copy[at] = copy[at]! ^ (1 << random.below(8))
    return copy
  },
  (bytes, random) => spliced(bytes, random.below(bytes.length + 1), 0, random.pick(SPICE)),
  (bytes, random) => spliced(bytes, random.below(bytes.length + 1), 0, random.pick(SPICE)),
  (bytes, random) => spliced(bytes, random.below(bytes.length), 1, random.pick(SPICE)),
  (bytes, random) => spliced(bytes, random.below(bytes.length), 1 + random.below(3), Buffer.alloc(0)),
  // Line ends and whitespace
  (bytes, random) => replaceOne(bytes, random, /\r\n/g, () => random.pick(['\n', '\r', '\n\r', '\r\r\n', '\r\n\r\n', '\r\n ', ''])),
  (bytes, random) => replaceOne(bytes, random, /: ?/g, () => random.pick([' : ', ':', '\t:', ':\t', ':  ', '::', ' ', ':\r\n ', ':\x0b', ':\xa0'])),
  (bytes, random) => replaceOne(bytes, random, / /g, () => random.pick(['  ', '\t', '', '\x0b', '\x0c', '\r\n'])),
  // Names
  (bytes, random) => replaceOne(bytes, random, /[A-Za-z-]+:/g, found => random.pick([found.toUpperCase(), found.toLowerCase(), found.replaceAll('-', '_'), found.replace('-', ''), `X${found}`, `${found.slice(0, -1)}\0:`, `${found.slice(0, -1)} :`])),
  // Lines
  (bytes, random) => onLines(bytes, lines => lines.splice(random.below(lines.length), 0, random.pick(lines))),
  (bytes, random) => onLines(bytes, lines => lines.splice(random.below(lines.length), 1)),
  (bytes, random) => onLines(bytes, lines => lines.splice(random.below(lines.length), 0, random.pick(LINES))),
  (bytes, random) => onLines(bytes, lines => lines.splice(1, 0, random.pick(LINES))),
  (bytes, random) =>
    onLines(bytes, lines => {
      const [one, two] = [random.below(lines.length), random.below(lines.length)]
      ;[lines[one], lines[two]] = [lines[two]!, lines[one]!]
    }),
  // Numbers
  (bytes, random) => replaceOne(bytes, random, /\d+/g, found => random.pick([`${Number(found) + 1}`, `${Math.max(0, Number(found) - 1)}`, `0${found}`, `+${found}`, `-${found}`, `0x${found}`, `${found}e1`, `${found}_0`, `${found}.0`, '18446744073709551617', '4294967297', ''])),
  (bytes, random) => replaceOne(bytes, random, /Content-Length: *\d+/gi, () => `Content-Length: ${random.below(40)}`),
  (bytes, random) => replaceOne(bytes, random, /\r\n[0-9a-f]+(?=[;\r])/gi, () => `\r\n${random.below(40).toString(16)}`),
  (bytes, random) => replaceOne(bytes, random, /HTTP\/\d\.\d/g, () => random.pick(VERSIONS)),
  // Extensions
  (bytes, random) => replaceOne(bytes, random, /\r\n[0-9a-f]+(?=[;\r])/gi, found => found + random.pick([';a', ' ;a', ';a=', ';a="b', ';a="\\"', ';"a"', ';\n', ';a=b c', '; a', ';a;;b', '\t'])),
  // Whole pieces
  (bytes, random, other) => {
    const two = other()
    return Buffer.concat([bytes.subarray(0, random.below(bytes.length + 1)), two.subarray(random.below(two.length + 1))])
  },
  (bytes, _random, other) => Buffer.concat([bytes, other()]),
  (bytes, random) => bytes.subarray(0, random.below(bytes.length + 1)),
  (bytes, random) => {
    const at = random.below(bytes.length)
    const piece = bytes.subarray(at, at + 1 + random.below(20))
    return spliced(bytes, random.below(bytes.length + 1), 0, piece)
  },
]

/** One mutation mostly, up to five now and then: most bugs need one thing wrong, some two that hide each other. */
export function mutated(bytes: Buffer, random: Random, other: () => Buffer): Buffer {
  let mutant = bytes
  for (let n = random.isOneIn(3) ? 1 + random.below(5) : 1; n > 0; n--) {
    if (mutant.length === 0) mutant = other()
    mutant = random.pick(MUTATIONS)(mutant, random, other)
  }
  return mutant
}
