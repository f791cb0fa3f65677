// USR1 never leaves a debugger's port open: in the supervisor, in workers, and while the server starts.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { test } from 'node:test'
import { CLOSE, RunningCommand, startServer } from './running-server.ts'

const limit = { timeout: 240_000, skip: process.platform !== 'linux' && 'it reads /proc' }

/** Ports on 127.0.0.1 that the process itself listens on. */
function ports(pid: number): number[] {
  const descriptors = readdirSync(`/proc/${pid}/fd`).map(fd => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`)
    } catch {
      return ''
    }
  })
  const inodes = new Set(descriptors.flatMap(target => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []))
  return readFileSync(`/proc/${pid}/net/tcp`, 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map(line => line.trim().split(/\s+/))
    .filter(
      ([, address, , state, , , , , , inode]) =>
        address!.startsWith('0100007F:') && state === '0A' && inodes.has(inode!),
    )
    .map(([, address]) => parseInt(address!.slice(9), 16))
}

/** Its handlers for USR1 are there; before that the signal ends any program. */
function catchesUsr1(pid: number): boolean {
  const caught = /^SigCgt:\s+(\w+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return caught !== null && (BigInt(`0x${caught[1]}`) & (1n << 9n)) !== 0n
}

test('USR1 opens no port in the supervisor and in workers, and they go on', limit, async context => {
  const server = await startServer(context, [
    'serve',
    'steady.ts',
    '--port',
    '0',
    '--host',
    '0.0.0.0',
    '--workers',
    '2',
  ])
  const before = await server.status()
  const all = [server.pid, ...before.workers.map(({ pid }) => pid)]
  const opened = all.map(ports)
  for (let times = 0; times < 20; times++) for (const pid of all) process.kill(pid, 'SIGUSR1')
  // Answered after the signals: their handlers have run.
  for (let times = 0; times < 20; times++) await fetch(server.url, CLOSE)
  const after = await server.status()
  assert.deepEqual(all.map(ports), opened)
  assert.doesNotMatch(server.errors, /[Dd]ebugger|inspector/)
  assert.deepEqual(
    after.workers.map(({ pid }) => pid),
    before.workers.map(({ pid }) => pid),
  )
})

test('USR1 again and again while the server starts leaves no port open, and it starts', limit, async context => {
  const command = new RunningCommand(['serve', 'steady.ts', '--port', '0', '--host', '0.0.0.0', '--admin', 'off'])
  context.after(() => command.child.kill('SIGKILL'))
  // Without a pause: Node's own handler is there for some milliseconds only, before ours. But what it prints has to be read meanwhile.
  while (!catchesUsr1(command.pid)) await new Promise(resolve => setImmediate(resolve))
  command.signal('SIGUSR1')
  let sent = 0
  while (!/ready in/.test(command.output) && command.child.exitCode === null) {
    command.signal('SIGUSR1')
    sent++
    await new Promise(resolve => setTimeout(resolve, 1))
  }
  await command.says(/ready in/)
  assert.ok(sent > 20, `${sent} signals`)
  assert.deepEqual(ports(command.pid), [])
})
