// HttpArena's HTTP/1.1 profiles, scaled to two cores: what each sends, and exactly what must come back.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LoadRequest } from './harness/load-request.ts'
import type { Expected } from './harness/same-answer.ts'
import { staticFiles } from './static-data.ts'

export interface Profile {
  /** Sent in turn. */
  readonly requests: readonly LoadRequest[]
  readonly expected: readonly Expected[]
  readonly pipelined?: number
  /** Instead of the option's. */
  readonly connections?: number
}

interface Item {
  readonly price: number
  readonly quantity: number
}

/** HttpArena's own data, MIT: see dataset.LICENSE beside it. */
export const DATASET = join(import.meta.dirname, 'httparena/dataset.json')

export type ProfileName = 'baseline' | 'limited-conn' | 'pipelined' | 'json' | 'json-comp' | 'upload' | 'static'

const SUM = '/baseline11?a=13&b=42'
const POST = { path: SUM, headers: { 'Content-Type': 'text/plain' }, body: '20' }
const BASELINE: readonly LoadRequest[] = [{ path: SUM }, POST, { ...POST, chunked: true }]
const REQUESTS_PER_CONNECTION = 10

const COUNTS = [[1, 3], [5, 7], [10, 2], [15, 5], [25, 4], [40, 8], [50, 6]] as const // prettier-ignore
const COMPRESSED_COUNTS = COUNTS.filter(([count]) => count >= 25)

const KIB = 1024
const UPLOADS = [500 * KIB, 2 * KIB * KIB, 10 * KIB * KIB, 20 * KIB * KIB]

export const PROFILES: Readonly<Record<ProfileName, () => Profile>> = {
  baseline: () => ({ requests: BASELINE, expected: sums() }),

  // wrk cannot close a connection after so many requests, so every tenth asks the server to: each kind in turn.
  'limited-conn': () => ({
    requests: Array.from({ length: BASELINE.length * REQUESTS_PER_CONNECTION }, (_, n) => {
      const request = BASELINE[n % BASELINE.length]!
      const isLast = n % REQUESTS_PER_CONNECTION === REQUESTS_PER_CONNECTION - 1
      return isLast ? { ...request, headers: { ...request.headers, Connection: 'close' } } : request
    }),
    expected: sums(),
  }),

  pipelined: () => ({
    requests: [{ path: '/pipeline' }],
    pipelined: 16,
    expected: [plain({ path: '/pipeline' }, 'ok')],
  }),

  json: () => {
    const items = dataset()
    const expected = COUNTS.map(([count, m]) => totals(items, count, m, {}))
    return { requests: expected.map(({ request }) => request), expected: [...expected, otherTotals(items, {})] }
  },

  'json-comp': () => {
    const items = dataset()
    const headers = { 'Accept-Encoding': 'gzip, br' }
    const expected = COMPRESSED_COUNTS.map(([count, m]) => totals(items, count, m, headers))
    const uncompressed = COMPRESSED_COUNTS.map(([count, m]) => totals(items, count, m, {}))
    return {
      requests: expected.map(({ request }) => request),
      expected: [...expected, otherTotals(items, headers), ...uncompressed],
    }
  },

  upload: () => {
    const expected = UPLOADS.map(bytes => {
      const request = { path: '/upload', headers: OCTETS, body: Buffer.alloc(bytes, 'upload') }
      return plain(request, String(bytes))
    })
    return {
      requests: expected.map(({ request }) => request),
      expected: [...expected, plain({ path: '/upload', headers: OCTETS, body: 'chunked', chunked: true }, '7')],
      // Each holds 20 MB in the load generator.
      connections: 16,
    }
  },

  static: () => {
    // With weights, as HttpArena sends it: who looks for the token alone does not find it.
    const headers = { 'Accept-Encoding': 'br;q=1, gzip;q=0.8' }
    const files = staticFiles().map(({ name, mediaType, isText, content }) => {
      const path = `/static/${name}`
      const body = content.toString('latin1')
      return {
        compressed: { request: { path, headers }, mediaType, body, coding: isText ? 'some' : 'none' },
        plain: { request: { path }, mediaType, body, coding: 'none' },
      } as const
    })
    return {
      requests: files.map(({ compressed }) => compressed.request),
      expected: files.flatMap(({ compressed, plain }) => [compressed, plain]),
    }
  },
}

const OCTETS = { 'Content-Type': 'application/octet-stream' }

/** Those of the load, and terms drawn for this run, which no constant can answer. */
function sums(): readonly Expected[] {
  const [a, b, c] = [drawn(), drawn(), drawn()]
  const path = `/baseline11?a=${a}&b=${b}`
  return [
    ...BASELINE.map(request => plain(request, request.body === undefined ? '55' : '75')),
    plain({ path }, String(a + b)),
    plain({ ...POST, path, body: String(c) }, String(a + b + c)),
    plain({ ...POST, path, body: String(c), chunked: true }, String(a + b + c)),
  ]
}

function otherTotals(items: readonly Item[], headers: Readonly<Record<string, string>>): Expected {
  return totals(items, 26 + (drawn() % 24), drawn(), headers)
}

function totals(items: readonly Item[], count: number, m: number, headers: Readonly<Record<string, string>>): Expected {
  const found = items.slice(0, count).map(item => ({ ...item, total: item.price * item.quantity * m }))
  return {
    request: { path: `/json/${count}?m=${m}`, headers },
    mediaType: 'application/json',
    body: Buffer.from(JSON.stringify({ items: found, count })).toString('latin1'),
    coding: 'Accept-Encoding' in headers ? 'some' : 'none',
  }
}

function plain(request: LoadRequest, body: string): Expected {
  return { request, mediaType: 'text/plain', body, coding: 'none' }
}

function drawn(): number {
  return 100 + Math.floor(Math.random() * 900)
}

function dataset(): readonly Item[] {
  return JSON.parse(readFileSync(DATASET, 'utf8')) as readonly Item[]
}
