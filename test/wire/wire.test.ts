// Every awkward request that we know, as raw bytes in a file with its outcome beside it. Each is fed in several ways: how bytes are
// cut into packets, and what stands before or behind them, must never change what they mean.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Engine } from '../../src/http/engine.ts'
import type { Exchange } from '../../src/http/exchange.ts'
import { prepareHead } from '../../src/http/prepared-head.ts'
import { Random } from './mutants/random.ts'
import { inMemory, overTcp, type Answer, type Way } from '../http/support/connect.ts'

interface Outcome {
  readonly status: number
  /** Where the rule is from: a section of a standard, a known weakness, a reason. */
  readonly source: string
  readonly method?: string
  readonly path?: string
  readonly search?: string
  readonly authority?: string
  readonly fields?: Readonly<Record<string, string>>
  readonly absent?: readonly string[]
  readonly body?: string
  readonly closes?: boolean
  readonly interim?: boolean
}

interface Case {
  readonly name: string
  readonly bytes: Buffer
  readonly outcome: Outcome
}

function casesIn(folder: string): Case[] {
  const path = join(import.meta.dirname, folder)
  return readdirSync(path)
    .filter(file => file.endsWith('.http'))
    .map(file => ({
      name: file.slice(0, -5),
      bytes: readFileSync(join(path, file)),
      outcome: JSON.parse(readFileSync(join(path, file.replace('.http', '.json')), 'utf8')) as Outcome,
    }))
}

const GOOD = Buffer.from('GET /good HTTP/1.1\r\nHost: a\r\n\r\n')
const SMUGGLED = Buffer.from('GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n')
// The same cuts each run: a failure must come again.
const CUTS = [2, 3, 7, 11, 13, 29, 64, 127]

/** Tells what it saw, so that a test can compare it with what was sent. */
async function mirror(exchange: Exchange): Promise<void> {
  const body = Buffer.from(await exchange.body.bytes()).toString('latin1')
  const { method, path, search, authority } = exchange
  const fields = [...exchange.fields.entries()].map(([name]) => [name, exchange.fields.get(name)])
  const seen = { method, path, search, authority, fields, body }
  exchange.send(prepareHead(200, method === 'HEAD' ? ['x-head', '1'] : []), JSON.stringify(seen))
}

async function feed(
  way: Way,
  pieces: readonly Buffer[],
  count?: number,
): Promise<{ answers: Answer[]; paths: string[] }> {
  const paths: string[] = []
  const handler = (exchange: Exchange) => (paths.push(exchange.path), mirror(exchange))
  // A body that comes byte by byte is waited for, however slow the machine is.
  const engine = new Engine(handler, { limits: { gatherMs: 60_000 }, onError: error => assert.fail(error as Error) })
  const client = await way.open(engine)
  for (const piece of pieces) client.stream.write(piece)
  const answers = await (count === undefined ? client.ended() : client.answers(count))
  client.destroy()
  engine.close()
  return { answers, paths }
}

function cut(bytes: Buffer, size: number): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size))
  return pieces
}

/** Some ways to cut, the same for the same bytes. */
function cutAtRandom(bytes: Buffer): Buffer[][] {
  const random = new Random(bytes.length)
  return Array.from({ length: 3 }, () => {
    const pieces: Buffer[] = []
    for (let at = 0; at < bytes.length;) {
      const size = 1 + random.below(random.isOneIn(2) ? 8 : bytes.length)
      pieces.push(bytes.subarray(at, at + size))
      at += size
    }
    return pieces
  })
}

describe('a request that must be refused', () => {
  for (const { name, bytes, outcome } of casesIn('refused')) {
    const check = ({ answers, paths }: { answers: Answer[]; paths: string[] }, before: number) => {
      assert.equal(answers.length, before + 1, 'one answer to it, and none to what follows')
      const answer = answers[before]!
      assert.equal(answer.status, outcome.status)
      assert.equal(answer.fields.get('connection'), 'close')
      assert.equal(answer.fields.get('content-type'), 'application/problem+json')
      const problem = JSON.parse(answer.body) as { status: number; type: string }
      assert.equal(problem.status, outcome.status)
      assert.equal(problem.type, 'about:blank')
      assert.deepEqual(paths, before === 1 ? ['/good'] : [], 'its handler never runs')
    }
    test(`${name}: ${outcome.status} (${outcome.source})`, async () => {
      check(await feed(overTcp, [bytes]), 0)
      check(await feed(inMemory, [bytes]), 0)
      check(await feed(inMemory, cut(bytes, 1)), 0)
      for (const pieces of [...CUTS.map(size => cut(bytes, size)), ...cutAtRandom(bytes)])
        check(await feed(inMemory, pieces), 0)
      check(await feed(inMemory, [Buffer.concat([bytes, SMUGGLED])]), 0)
      check(await feed(inMemory, [Buffer.concat([GOOD, bytes, SMUGGLED])]), 1)
      check(await feed(inMemory, cut(Buffer.concat([GOOD, bytes, SMUGGLED]), 1)), 1)
    })
  }
})

describe('a request that must be served', () => {
  for (const { name, bytes, outcome } of casesIn('valid')) {
    const check = (answer: Answer | undefined, isCut: boolean) => {
      assert.equal(answer?.status, outcome.status)
      assert.equal(
        answer.fields.get('connection'),
        outcome.closes ? 'close' : name.includes('1-0') ? 'keep-alive' : undefined,
      )
      // Cut behind the head, the body was not begun when its reader came. Nobody is told to continue who has begun already.
      assert.deepEqual(answer.interim, outcome.interim === true && isCut && answer.interim.length > 0 ? [100] : [])
      if (outcome.method === 'HEAD') return
      const seen = JSON.parse(Buffer.from(answer.body, 'latin1').toString()) as Outcome & { fields: [string, string][] }
      for (const key of ['method', 'path', 'search', 'authority', 'body'] as const)
        if (outcome[key] !== undefined) assert.equal(seen[key], outcome[key], key)
      const fields = new Map(seen.fields)
      for (const [field, value] of Object.entries(outcome.fields ?? {})) assert.equal(fields.get(field), value)
      for (const field of outcome.absent ?? []) assert.equal(fields.has(field), false)
    }
    test(`${name}: ${outcome.status} (${outcome.source})`, async () => {
      const cuts = [...[bytes.length, 1, ...CUTS].map(size => cut(bytes, size)), ...cutAtRandom(bytes)]
      const ways: [Way, Buffer[]][] = [[overTcp, [bytes]], ...cuts.map(pieces => [inMemory, pieces] as [Way, Buffer[]])]
      for (const [way, pieces] of ways) {
        const { answers } = await feed(way, pieces, outcome.closes ? undefined : 1)
        assert.equal(answers.length, 1)
        check(answers[0], pieces.length > 1)
      }
      const between = Buffer.concat([GOOD, bytes, GOOD])
      for (const pieces of [[between], cut(between, 1)]) {
        const { answers, paths } = await feed(inMemory, pieces, outcome.closes ? undefined : 3)
        assert.equal(answers.length, outcome.closes ? 2 : 3)
        check(answers[1], pieces.length > 1)
        assert.equal(paths[0], '/good')
        if (!outcome.closes) assert.equal(paths[2], '/good')
      }
    })
  }
})
