// One bounded run of wrk against one server, and what it counted.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Tool } from './tools.ts'

export interface Load {
  readonly requests: number
  readonly seconds: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Connections refused or reset, time-outs, and answers of status 400 and up. */
  readonly errors: number
}

export interface LoadPlan {
  readonly wrk: Tool
  /** Puts a command on the core of the load generator. */
  readonly pin: readonly string[]
  readonly connections: number
  readonly seconds: number
}

const SCRIPT = join(import.meta.dirname, 'wrk.lua')

/** @param paths  requested in turn */
export async function runWrk(plan: LoadPlan, origin: string, paths: readonly string[]): Promise<Load> {
  const { wrk, pin, connections, seconds } = plan
  const command = [...pin, wrk.path, '-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '5s', '-s', SCRIPT]
  const [file, ...args] = [...command, origin + paths[0], '--', ...paths] as [string, ...string[]]
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...wrk.env } })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  const code = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve))
  const report = /^report (\{.*\})$/m.exec(output)?.[1]
  if (code !== 0 || report === undefined) throw new Error(`wrk ended with ${String(code)}: ${output}`)
  return JSON.parse(report) as Load
}
