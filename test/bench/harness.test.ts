// A bench that measures wrongly says so nowhere else: its arithmetic, its view of processes, and its proof of equal work.
import { describe, test } from 'node:test'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Running } from '../../bench/harness/contender.ts'
import { gets } from '../../bench/harness/load-request.ts'
import { readOptions } from '../../bench/harness/options.ts'
import { processesOf, usageOfTree } from '../../bench/harness/process-tree.ts'
import { aligned, objects, table } from '../../bench/harness/report.ts'
import { errorsOf, median, medians, ratioTo, type Measured } from '../../bench/harness/rounds.ts'
import { requireSameAnswers } from '../../bench/harness/same-answer.ts'

const sample = {
  cpuUsPerRequest: 10,
  requestsPerSecond: 1_000,
  p50Ms: 1,
  p99Ms: 2,
  rssKiB: 2_048,
  answerBytes: 150,
  errors: 0,
}

function measured(name: string, cpu: readonly number[]): Measured {
  return { name, about: '', rounds: cpu.map(cpuUsPerRequest => ({ ...sample, cpuUsPerRequest, errors: 1 })) }
}

describe('a comparison', () => {
  test('takes the middle of the rounds, and sums errors', () => {
    assert.equal(median([3, 1, 2]), 2)
    assert.equal(median([4, 1, 2, 3]), 2.5)
    const { cpuUsPerRequest, errors } = medians(measured('a', [9, 5, 7]))
    assert.deepEqual([cpuUsPerRequest, errors], [7, 3])
  })

  test('counts no error where a server closed unsaid what it was asked to close, and each one beyond that', () => {
    const load = { requests: 100, seconds: 1, p50Ms: 1, p99Ms: 2, answerBytes: 150 }
    const contender = { name: 'a', about: '', command: () => assert.fail() }
    const errors = (of: { errors: number; cut: number; closesAsked: number }, closesUnsaid: boolean) =>
      errorsOf({ ...load, ...of }, { ...contender, closesUnsaid })
    assert.equal(errors({ errors: 20, cut: 20, closesAsked: 20 }, true), 0)
    assert.equal(errors({ errors: 25, cut: 22, closesAsked: 20 }, true), 5)
    assert.equal(errors({ errors: 3, cut: 1, closesAsked: 20 }, true), 2)
    assert.equal(errors({ errors: 20, cut: 20, closesAsked: 20 }, false), 20)
  })

  test('compares within a round, so that a slow minute does not count against whoever met it', () => {
    const floor = measured('floor', [5, 50, 5])
    const ours = measured('ours', [6, 60, 7])
    assert.deepEqual(ratioTo(floor, ours), { median: 1.2, least: 1.2, most: 1.4 })
  })

  test('prints a table of at most 80 columns and one object per server', () => {
    const servers = [measured('nginx', [5, 6]), measured('our hello', [12.5, 13]), measured('fastify', [111, 112])]
    const lines = table(servers, ['nginx', 'fastify', 'absent']).split('\n')
    assert.equal(lines.length, 4)
    assert.ok(
      lines.every(line => line.length <= 80 && line.length === lines[0]!.length),
      lines.join('\n'),
    )
    // More ratios than fit: what a request costs above, the rest below.
    const split = table(servers, ['nginx', 'our hello', 'fastify', 'nginx']).split('\n')
    assert.equal(split.length, 9)
    assert.ok(
      split.every(line => line.length <= 80),
      split.join('\n'),
    )
    assert.match(split[5]!, /^server .* B\/answer$/)
    const keys = ['server', 'cpuUsPerRequest', 'requestsPerSecond', 'p50Ms', 'p99Ms', 'rssKiB', 'answerBytes', 'errors']
    for (const object of objects(servers)) assert.deepEqual(Object.keys(object), keys)
    assert.equal(aligned([['a', 'b'], ['long', '1']]), 'a     b\nlong  1') // prettier-ignore
  })

  test('refuses arguments that mean nothing', () => {
    assert.deepEqual(readOptions(['hello', '--only', 'nginx,fastify', '--json']).only, ['nginx', 'fastify'])
    for (const args of [
      [],
      ['hello', 'types'],
      ['hello', '--seconds', '0'],
      ['hello', '--rounds', 'x'],
      ['hello', '--no'],
    ])
      assert.throws(() => readOptions(args))
  })
})

test(
  'the cost of a process tree includes children, those that have ended too',
  { skip: process.platform !== 'linux' },
  async t => {
    const burn = (ms: number) =>
      `const end = process.cpuUsage().user + ${ms} * 1000; while (process.cpuUsage().user < end);`
    const program = `
    const { execFileSync, spawn } = require('node:child_process')
    execFileSync(process.execPath, ['-e', ${JSON.stringify(burn(200))}])
    const child = spawn(process.execPath, ['-e', ${JSON.stringify(`${burn(200)} console.log('burnt'); process.stdin.resume()`)}])
    child.stdout.once('data', () => console.log('ready'))
    process.stdin.on('end', () => child.stdin.end()).resume()`
    const root = spawn(process.execPath, ['-e', program], { stdio: ['pipe', 'pipe', 'inherit'] })
    t.after(() => root.kill('SIGKILL'))
    await once(root.stdout, 'data')
    const { cpuMs, rssKiB } = usageOfTree(root.pid!)
    assert.ok(cpuMs >= 400, `${cpuMs} ms`)
    assert.ok(rssKiB > 40_000, `${rssKiB} KiB for two processes of Node`)
    assert.equal(processesOf(root.pid!).length, 2)
    root.stdin.end()
    await once(root, 'exit')
    assert.throws(() => usageOfTree(root.pid!), /has ended/)
  },
)

test('servers that answer differently are not compared', async t => {
  const serving = async (name: string, status: number, type: string, body: string): Promise<Running> => {
    const server = createServer((_, response) => response.writeHead(status, { 'content-type': type }).end(body))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return { contender: { name, about: '', command: () => assert.fail() }, origin, pid: 0, stop: async () => {} }
  }
  const ours = await serving('ours', 200, 'application/json', '{"a":1}')
  await requireSameAnswers(
    [ours, await serving('same', 200, 'application/json; charset=utf-8', '{"a":1}')],
    gets(['/']),
  )
  for (const other of [
    await serving('other body', 200, 'application/json', '{"a": 1}'),
    await serving('other type', 200, 'text/plain', '{"a":1}'),
    await serving('other status', 201, 'application/json', '{"a":1}'),
  ])
    await assert.rejects(requireSameAnswers([ours, other], gets(['/'])), new RegExp(other.contender.name))
  const failing = await serving('failing', 500, 'application/json', '{}')
  await assert.rejects(requireSameAnswers([failing], gets(['/'])), /500/)
})
