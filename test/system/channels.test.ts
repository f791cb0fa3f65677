// A channel between workers, with real processes: what one publishes, the clients of all of them are told.
import assert from 'node:assert/strict'
import http from 'node:http'
import { test } from 'node:test'
import { readEvents } from '../../src/core/event-reader.ts'
import { startServer } from './running-server.ts'

interface Told {
  readonly pid: number
  readonly from: string
}

async function listen(url: string, signal: AbortSignal): Promise<() => Promise<Told>> {
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>()
  // On a connection of its own, so that any worker may have it.
  http.get(url, { agent: false, signal }, resolve).on('error', reject)
  const response = await promise
  response.on('error', () => {})
  const events = readEvents(bodyOf(response))
  return async () => JSON.parse((await events.next()).value!.data) as Told
}

function bodyOf(response: http.IncomingMessage): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(to) {
      response.on('data', (piece: Buffer) => to.enqueue(piece))
      response.on('end', () => to.close())
    },
  })
}

test('what is published in one worker reaches the streams of all', { timeout: 240_000 }, async context => {
  const server = await startServer(context, ['serve', 'channel.ts', '--port', '0', '--workers', '2'])
  const leaving = new AbortController()
  context.after(() => leaving.abort())
  const listeners: (() => Promise<Told>)[] = []
  const workers = new Set<number>()
  while (workers.size < 2) {
    const next = await listen(`${server.url}/news`, leaving.signal)
    workers.add((await next()).pid)
    listeners.push(next)
  }
  for (let n = 0; n < 3; n++) {
    const answer = await fetch(`${server.url}/news`, { method: 'POST' })
    const { pid } = (await answer.json()) as { pid: number }
    const told = await Promise.all(listeners.map(next => next()))
    assert.deepEqual(new Set(told.map(({ pid }) => pid)), workers)
    for (const { from } of told) assert.equal(from, String(pid))
  }
})
