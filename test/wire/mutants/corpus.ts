// What is mutated: the wire cases, and well-formed requests made at random so that their number and combinations do not end.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Random } from './random.ts'

// 2 KiB: what is larger tests a limit, and a mutant of it is mostly the same megabytes fed byte by byte.
const MAX_BYTES = 2048

export function wireCases(): Buffer[] {
  const folder = join(import.meta.dirname, '..')
  return globSync('{valid,refused}/*.http', { cwd: folder })
    .sort()
    .map(file => readFileSync(join(folder, file)))
    .filter(bytes => bytes.length <= MAX_BYTES)
}

const METHODS = ['GET', 'GET', 'POST', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']
const TARGETS = ['/', '/a/b', '/a%20b?c=d&e', '/./a/../b', '/?', '//a', 'http://b/c', 'http://[::1]:80', '/a;b=c/@d', '*']
const HOSTS = ['a', 'example.com:8080', '[::1]', '127.0.0.1:80', 'a-b_c.d:']
const FIELDS = [
  'Accept: */*',
  'Cookie: a=b; c=d',
  'User-Agent: x (y; z) \xe9',
  'X-Empty:',
  'X-Blank: \t ',
  'Connection: keep-alive',
  'Connection: close',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Connection: te, close',
  'TE: trailers',
  'Expect: 100-continue',
  'Keep-Alive: timeout=5',
  'Content-Type: application/json',
  'If-None-Match: "x", W/"y"',
  'Accept: text/html',
]
const EXTENSIONS = ['', '', '', ';a', ';a=b', ';a="b c;\\"\t"', ';a;b=c']
const TRAILERS = ['', '', 'X: y\r\n', 'X:\r\nY: z z\r\n', 'Content-Length: 5\r\n']

/** One to three requests in a row. */
export function generated(random: Random): Buffer {
  let text = ''
  for (let n = 1 + (random.isOneIn(2) ? random.below(3) : 0); n > 0; n--) text += request(random)
  return Buffer.from(text, 'latin1')
}

function request(random: Random): string {
  const version = random.isOneIn(8) ? '1.0' : '1.1'
  const lines = [`${random.pick(METHODS)} ${random.pick(TARGETS)} HTTP/${version}`]
  lines.push(`Host: ${random.pick(HOSTS)}`)
  for (let n = random.below(4); n > 0; n--) lines.push(random.pick(FIELDS))
  let body = ''
  const data = () => random.pick(['', 'hello', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', '0\r\n\r\n', '\r\n', 'x'.repeat(20)])
  if (random.isOneIn(3)) {
    body = data()
    lines.push(`Content-Length: ${body.length}`)
  } else if (random.isOneIn(2)) {
    lines.push('Transfer-Encoding: chunked')
    for (let n = random.below(3); n > 0; n--) {
      const piece = data()
      if (piece !== '') body += `${piece.length.toString(16)}${random.pick(EXTENSIONS)}\r\n${piece}\r\n`
    }
    body += `0${random.pick(EXTENSIONS)}\r\n${random.pick(TRAILERS)}\r\n`
  }
  if (random.isOneIn(4)) lines.splice(1, 0, lines.pop()!)
  return `${random.isOneIn(10) ? '\r\n' : ''}${lines.join('\r\n')}\r\n\r\n${body}`
}
