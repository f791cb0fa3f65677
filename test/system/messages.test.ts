// What workers say to each other through the supervisor, with real processes.
import assert from 'node:assert/strict'
import http from 'node:http'
import { test } from 'node:test'
import { type RunningServer, startServer } from './running-server.ts'

/** On a connection of its own, so that any worker may answer. */
function ask(server: RunningServer, method: string, path: string): Promise<{ pid: number; value: string }> {
  return new Promise((resolve, reject) => {
    const request = http.request(server.url + path, { method, agent: false }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece))
      response.on('end', () => resolve(JSON.parse(text) as { pid: number; value: string }))
    })
    request.on('error', reject).end()
  })
}

/** Asks in bursts until both workers have answered. @returns what each holds */
async function valuesOfBoth(server: RunningServer): Promise<Map<number, Set<string>>> {
  const values = new Map<number, Set<string>>()
  while (values.size < 2)
    for (const { pid, value } of await Promise.all(Array.from({ length: 20 }, () => ask(server, 'GET', '/value'))))
      values.set(pid, (values.get(pid) ?? new Set()).add(value))
  return values
}

test('what one worker invalidates no worker serves any more', { timeout: 240_000 }, async context => {
  const server = await startServer(context, ['serve', 'cached.ts', '--port', '0', '--workers', '2'])
  const seen = new Set<string>()
  for (let round = 0; round < 3; round++) {
    const held = await valuesOfBoth(server)
    for (const values of held.values()) {
      assert.equal(values.size, 1, 'a worker keeps one value between invalidations')
      for (const value of values) assert.ok(!seen.has(value), `${value} came back`)
    }
    // The second to ask has had it from the first.
    const [value, ...others] = new Set([...held.values()].flatMap(values => [...values]))
    assert.deepEqual(others, [], 'the workers keep one value')
    seen.add(value!)
    await ask(server, 'POST', '/drop')
  }
})
