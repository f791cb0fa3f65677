// One bounded run of wrk against one server, and what it counted.
import { spawn } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { requestBytes, type LoadRequest } from './load-request.ts'
import type { Tool } from './tools.ts'

export interface Load {
  readonly requests: number
  readonly seconds: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Mean size of an answer, head included. */
  readonly answerBytes: number
  /** Connections refused or reset, time-outs, and answers of status 400 and up. */
  readonly errors: number
  /** Of these, connections that ended where wrk expected an answer. */
  readonly cut: number
  /** Requests that asked the server to close the connection behind the answer. */
  readonly closesAsked: number
}

export interface LoadPlan {
  readonly wrk: Tool
  /** Puts a command on the core of the load generator. */
  readonly pin: readonly string[]
  readonly connections: number
  readonly seconds: number
  /** Requests sent back to back before an answer is waited for; 1: none. */
  readonly pipelined: number
}

const SCRIPT = join(import.meta.dirname, 'wrk.lua')
const FOLDER = join(import.meta.dirname, '../../.millrace/bench/load')

/** @param requests  sent in turn */
export async function runWrk(plan: LoadPlan, origin: string, requests: readonly LoadRequest[]): Promise<Load> {
  const { wrk, pin, connections, seconds, pipelined } = plan
  const { host } = new URL(origin)
  const blocks = requests.map(request => requestBytes(request, host))
  const sent = pipelined === 1 ? blocks : blocks.map(block => Buffer.concat(Array<Buffer>(pipelined).fill(block)))
  mkdirSync(FOLDER, { recursive: true })
  const file = join(FOLDER, `${process.pid}-${host.replace(':', '-')}.requests`)
  writeFileSync(file, Buffer.concat(sent.flatMap(block => [Buffer.from(`${block.byteLength}\n`), block])))
  try {
    const options = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '5s', '-s', SCRIPT]
    const report = await run([...pin, wrk.path, ...options, origin, '--', file], wrk.env)
    return JSON.parse(report) as Load
  } finally {
    rmSync(file)
  }
}

async function run(command: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  const [file, ...args] = command as [string, ...string[]]
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...env } })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  const code = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve))
  const report = /^report (\{.*\})$/m.exec(output)?.[1]
  if (code !== 0 || report === undefined) throw new Error(`wrk ended with ${String(code)}: ${output}`)
  return report
}
