// WebSockets of several workers, with real processes: one room for all of them, and every socket told when its worker goes.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { type RunningServer, startServer } from './running-server.ts'

interface Member {
  readonly socket: WebSocket
  readonly pid: string
  readonly heard: string[]
  readonly closed: Promise<number>
}

async function join(server: RunningServer): Promise<Member> {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/room`)
  const heard: string[] = []
  const closed = once(socket, 'close').then(([event]) => (event as CloseEvent).code)
  const greeted = new Promise<string>(resolve =>
    socket.addEventListener('message', ({ data }: MessageEvent<string>) => {
      heard.push(data)
      if (heard.length === 1) resolve(data)
    }),
  )
  const pid = await Promise.race([
    greeted,
    closed.then(code => Promise.reject(new Error(`closed with ${code} before it was greeted`))),
  ])
  return { socket, pid, heard, closed }
}

/** Until each of two workers has some. */
async function membersOfBoth(server: RunningServer): Promise<Member[]> {
  const members: Member[] = []
  while (members.length < 6 || new Set(members.map(({ pid }) => pid)).size < 2)
    members.push(...(await Promise.all([join(server), join(server), join(server)])))
  return members
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(resolve => setTimeout(resolve, 5))
}

test(
  'what is published in one worker is heard in all, once, from a socket and from a request',
  { timeout: 240_000 },
  async t => {
    const server = await startServer(t, ['serve', 'rooms.ts', '--port', '0', '--workers', '2'])
    const members = await membersOfBoth(server)
    const said = members.map((_, n) => `from ${n}`)
    members.forEach(({ socket }, n) => socket.send(said[n]!))
    const answer = await fetch(`${server.url}/say/news`, { method: 'POST' })
    assert.equal(answer.status, 200)
    await until(() => members.every(({ heard }) => heard.length >= 1 + said.length + 1))
    for (const { heard } of members) assert.deepEqual(heard.slice(1).sort(), [...said, 'news'].sort())
    for (const { socket } of members) socket.close()
    assert.deepEqual(new Set(await Promise.all(members.map(({ closed }) => closed))), new Set([1005]))
  },
)

test(
  'HUP and TERM tell every socket with 1001, and new ones find a worker that stays',
  { timeout: 240_000 },
  async t => {
    const server = await startServer(t, ['serve', 'rooms.ts', '--port', '0', '--workers', '2'])
    const before = await membersOfBoth(server)
    server.child.kill('SIGHUP')
    assert.deepEqual(new Set(await Promise.all(before.map(({ closed }) => closed))), new Set([1001]))
    const after = await membersOfBoth(server)
    const old = new Set(before.map(({ pid }) => pid))
    for (const { pid } of after) assert.ok(!old.has(pid))
    const closed = Promise.all(after.map(member => member.closed))
    server.child.kill('SIGTERM')
    assert.deepEqual(new Set(await closed), new Set([1001]))
    assert.deepEqual(await server.exited, { code: 0, signal: null })
  },
)
